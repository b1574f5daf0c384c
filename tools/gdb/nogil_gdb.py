# tools/gdb/nogil_gdb.py -- shows nogil's objects in gdb as what they are.
#
#   (gdb) source tools/gdb/nogil_gdb.py
#   (gdb) print queue
#   $1 = nogil::Queue<int> of 3, 8 at most = {10, 20, 30}
#   (gdb) print lock
#   $2 = nogil::Lock held by 'Thread-1' (LWP 4711), others sleep for it
#
# A program that includes <nogil/gdb.hpp> somewhere carries this file with it. Reads memory
# only: nothing of the program is run. Made for libstdc++.

import gdb
import gdb.printing

SLEEPERS = 1 << 31
STRING = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"


def load(atomic):
    """The value of a std::atomic."""
    for field in ("_M_i", "_M_base", "_M_b", "_M_p"):
        try:
            inner = atomic[field]
        except gdb.error:
            continue
        return inner if field in ("_M_i", "_M_p") else load(inner)
    return atomic


def number(atomic):
    return int(load(atomic))


def fields(value):
    """The value without typedefs, const and references."""
    if value.type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
    return value.cast(value.type.unqualified().strip_typedefs())


def base(value, name):
    """The base class, near or far, whose name begins so, or None."""
    value = fields(value)
    for field in value.type.fields():
        if field.is_base_class:
            if str(field.type.strip_typedefs()).startswith(name):
                return value[field]
            found = base(value[field], name)
            if found is not None:
                return found
    return None


def argument(value):
    """The first template argument."""
    return fields(value).type.template_argument(0)


def thread(ident):
    """What a thread is called that has this number."""
    try:
        registry = gdb.parse_and_eval("nogil::platform::g_threads")
        slot = (ident & ((1 << 22) - 1)) - 1
        chunk = (slot // 64 + 1).bit_length() - 1
        record = load(registry["chunks_"][chunk])[slot - 64 * ((1 << chunk) - 1)]
        if number(record["id"]) != ident:
            return "a thread that has ended"
        lwp = int(record["native_id"])
        name = record["name"]["_M_dataplus"]["_M_p"].string()
        if not name:
            name = "MainThread" if lwp == gdb.selected_inferior().pid else f"Dummy-{slot + 1}"
        return f"'{name}' (LWP {lwp})"
    except (gdb.error, gdb.MemoryError, RuntimeError):
        return f"thread {ident}"


class Printer:
    def __init__(self, value):
        self.value = fields(value)

    def name(self):
        name = str(self.value.type)
        return name.replace(STRING, "std::string").replace("std::string >", "std::string>")


def owner_word(word):
    """held by whom, from a detail::OwnerWord."""
    word = number(word)
    if word & ~SLEEPERS == 0:
        return "free"
    return "held by " + thread(word & ~SLEEPERS) + (", others sleep for it" if word & SLEEPERS else "")


class Lock(Printer):
    def to_string(self):
        return f"{self.name()} " + owner_word(self.value["state_"]["word_"])


class RLock(Printer):
    def to_string(self):
        state = self.value["state_"]
        text = f"{self.name()} " + owner_word(state["word_"]["word_"])
        level = number(state["level_"])
        if level == 0:
            return text
        times = 2 if level >> 30 == 3 else 1 if level >> 31 else level
        return text + (f", {times} times" if times > 1 else ", once")


class Semaphore(Printer):
    def to_string(self):
        core = self.value["core_"]
        state = number(core["state_"])
        limit = int(core["limit_"])
        bound = f", {limit} at most" if limit < 0x7FFFFFFF else ""
        waiters = state >> 32
        waiting = f", {waiters} waiting" if waiters else ""
        return f"{self.name()} with {state & 0xFFFFFFFF} free{bound}{waiting}"


class BoundedSemaphore(Semaphore):
    def __init__(self, value):
        name = fields(value)
        self.shown = str(name.type)
        super().__init__(base(value, "nogil::Semaphore"))

    def name(self):
        return self.shown


class Elements(Printer):
    """A queue: what lies in it, and what is to be said of it."""

    def __init__(self, value):
        super().__init__(value)
        self.queue = base(value, "nogil::detail::BasicQueue<")
        self.store = self.queue["store_"]

    def waiting(self, count):
        return number(count["state_"]) >> 32

    def described(self, size, getters, putters, shut):
        most = number(self.queue["maxsize_"])
        text = f"{self.name()} of {size}" + (f", {most} at most" if most > 0 else "")
        if getters:
            text += f", {getters} waiting for an element"
        if putters:
            text += f", {putters} waiting for room"
        return text + (", shut down" if shut else "")

    def display_hint(self):
        return "array"


class Queue(Elements):
    def ends(self):
        return number(self.store["head_"]["count_"]), number(self.store["tail_"]["count_"])

    def to_string(self):
        head, tail = self.ends()
        return self.described(
            tail - head,
            self.waiting(self.store["tail_"]["own"]["not_empty"]),
            self.waiting(self.store["head_"]["own"]["not_full"]),
            number(self.store["tail_"]["own"]["limit"]) == 0,
        )

    def children(self):
        head, tail = self.ends()
        kind = argument(self.value)
        own = self.store["head_"]["own"]
        block, at = own["block"], int(own["number"])
        if head == tail:
            return
        slots = slots_of(kind)
        if int(block) == 0:
            block, at = self.store["first_"], head // slots
        for i in range(head, tail):
            if i // slots != at:
                block, at = block["next"], i // slots
            room = block["slots"].address.cast(kind.pointer())
            yield f"[{i - head}]", room[i % slots]


def slots_of(kind):
    """Block<T>::kSlots."""
    size = kind.sizeof
    return 128 if size <= 8 else 64 if size <= 64 else 16 if size <= 512 else 4


class Bag(Elements):
    """LifoQueue and PriorityQueue: in the order in which get() would give them, or the heap's."""

    def slots(self):
        vector = self.store["bag_"]["slots_"]["_M_impl"]
        first, last = vector["_M_start"], vector["_M_finish"]
        return [first[i] for i in range(int(last - first))]

    def to_string(self):
        return self.described(
            len(self.slots()),
            self.waiting(self.store["not_empty_"]),
            self.waiting(self.store["not_full_"]),
            number(self.store["limit_"]) == 0,
        )

    def children(self):
        slots = self.slots()
        if self.name().startswith("nogil::LifoQueue"):
            slots.reverse()
        for i, slot in enumerate(slots):
            yield f"[{i}]", slot


def has_text(thrown, name):
    """Whether a std::runtime_error or a std::logic_error, which keep a text, is in it."""
    if name in ("std::runtime_error", "std::logic_error", "std::invalid_argument", "std::system_error"):
        return True
    try:
        value = thrown.cast(gdb.lookup_type(name).pointer()).dereference()
        return any(base(value, kind) is not None for kind in ("std::runtime_error", "std::logic_error"))
    except gdb.error:  # the program knows no more of it than its name
        return False


def described(thrown):
    """An exception's type, and what() if it is one of std's or nogil's."""
    # Before the object lies a __cxa_refcounted_exception, of 128 bytes where pointers have 8.
    try:
        pointers = gdb.lookup_type("void").pointer().pointer()
        type_info = gdb.Value(int(thrown) - 112).cast(pointers).dereference()
        name = gdb.execute(f"info symbol {int(type_info)}", to_string=True)
        name = name.partition("typeinfo for ")[2].partition(" in section ")[0].partition("@")[0].strip()
        if not name:
            return thrown
        if has_text(thrown, name):
            words = gdb.Value(int(thrown) + 8).cast(pointers).dereference()
            return f"{name}: {words.cast(gdb.lookup_type('char').pointer()).string()}"
        return name
    except (gdb.error, gdb.MemoryError, UnicodeDecodeError):
        return thrown


class Future(Printer):
    STATES = ("pending", "running", "running", "finished", "failed", "cancelled", "cancelled")

    def block(self):
        return base(self.value, "nogil::detail::FutureHandle")["block_"]["block_"]

    def state(self):
        return number(self.block().dereference()["word_"]) & 7

    def to_string(self):
        if int(self.block()) == 0:
            return f"{self.name()} empty"
        state = self.STATES[self.state()]
        word = number(self.block().dereference()["word_"])
        return f"{self.name()} {state}" + (", somebody waits for it" if word & 8 else "")

    def children(self):
        if int(self.block()) == 0:
            return
        kind = argument(self.value)
        if self.state() == 3 and kind.code != gdb.TYPE_CODE_VOID:
            if kind.code == gdb.TYPE_CODE_REF:
                yield "result", self.payload(kind.target().pointer()).dereference()
            else:
                yield "result", self.payload(kind)
        elif self.state() == 4:
            pointer = self.payload(gdb.lookup_type("std::__exception_ptr::exception_ptr"))
            yield "exception", described(pointer["_M_exception_object"])

    def payload(self, kind):
        size = self.block().dereference().type.sizeof
        align = kind.alignof or 1
        place = int(self.block()) + (size + align - 1) // align * align
        return gdb.Value(place).cast(kind.pointer()).dereference()


class Task(Printer):
    def task(self):
        return base(self.value, "nogil::asyncio::TaskHandle")["state_"]

    def to_string(self):
        pointer = next(self.task()[f] for f in self.task().type.strip_typedefs().fields())
        if int(pointer) == 0:
            return f"{self.name()} empty"
        task = pointer.dereference()
        given = task["name_"]  # a pointer to a string, or null
        name = given["_M_dataplus"]["_M_p"].string() if int(given) else f"Task-{int(task['number_'])}"
        state = str(base(task, "nogil::asyncio::detail::Completion")["state_"])
        state = state.rpartition("::k")[2].lower()
        if state == "pending":
            state = "waiting" if int(task["waiter_"]) else "ready"
        return f"{self.name()} '{name}' {state}"


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("nogil")
    for pattern, printer in (
        (r"^nogil::Lock$", Lock),
        (r"^nogil::RLock$", RLock),
        (r"^nogil::Semaphore$", Semaphore),
        (r"^nogil::BoundedSemaphore$", BoundedSemaphore),
        (r"^nogil::(Simple)?Queue<.*>$", Queue),
        (r"^nogil::(Lifo|Priority)Queue<.*>$", Bag),
        (r"^nogil::Future<.*>$", Future),
        (r"^nogil::asyncio::Task<.*>$", Task),
    ):
        collection.add_printer(printer.__name__ + pattern, pattern, printer)
    return collection


gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)
