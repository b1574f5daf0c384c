// nogil/multiprocessing/detail/module.hpp -- programs and libraries, by what they contain.
//
// An address means nothing in another process. A place in a file does: the same file is
// loaded there too, if at another address. So code travels as (which file, how far into
// it), where "which file" is a number made from its contents:
//
//   its build-id, which linkers put into it by default, or without one
//   a hash of its machine code.
//
//   const Module* module = module_of(address);       // here
//   const Module* module = module_with(id, path);    // there
//
// Threads    Everything from any thread. No locks: the table only grows.
// Fork       The child has the same table, and the same addresses.
// Lifetime   A library that got into the table stays loaded to the end of the process,
//            whatever dlclose() says: others may still send what it holds.
// Cost       A look-up walks the modules that were asked for before, usually one or two.
//            The first time for each it walks all that are loaded; without a build-id it
//            reads the module's code once.

#pragma once

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nogil::multiprocessing::detail {

// The loader tells addresses as numbers.
template <class T>
T* pointer_to(std::uintptr_t address) noexcept {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

struct ModuleId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend bool operator==(const ModuleId&, const ModuleId&) = default;
};

struct Module {
  struct Segment {
    std::uintptr_t begin;
    std::uintptr_t end;
    unsigned flags;  // PF_R, PF_W, PF_X
  };

  ModuleId id;
  std::uintptr_t base = 0;  // what offsets count from
  std::vector<Segment> segments;
  std::string path;  // empty: the program itself
  const Module* next = nullptr;

  // Whether [address, address + size) lies in one segment with all these flags.
  bool holds(std::uintptr_t address, std::size_t size, unsigned flags) const noexcept {
    for (const Segment& segment : segments) {
      if (address >= segment.begin && address < segment.end) {
        return size <= segment.end - address && (segment.flags & flags) == flags;
      }
    }
    return false;
  }
};

// A hash of 128 bits, for telling files apart; not against those who want them to collide.
class ModuleHash {
 public:
  void add(std::uint64_t word) noexcept {
    id_.high = std::rotl(id_.high ^ word, 27) * 0x9e37'79b9'7f4a'7c15;
    id_.low = std::rotl(id_.low + word * 0xbf58'476d'1ce4'e5b9, 31) ^ id_.high;
  }

  // A plain loop, that sanitizers do not look into: what it reads belongs to the loader.
#if defined(__clang__) || defined(__GNUC__)
  __attribute__((no_sanitize("address")))
#endif
  void
  add(const char* bytes, std::size_t size) noexcept {
    for (; size >= 8; bytes += 8, size -= 8) {
      std::uint64_t word = 0;
      for (int i = 0; i < 8; ++i) word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
      add(word);
    }
    std::uint64_t rest = size;
    for (; size > 0; ++bytes, --size) rest = rest << 8 | static_cast<unsigned char>(*bytes);
    add(rest);
  }

  ModuleId id() const noexcept {
    return id_;
  }

 private:
  ModuleId id_{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};
};

// The build-id among the notes of one segment; false: there is none.
inline bool add_build_id(ModuleHash& hash, const char* notes, std::size_t size, std::size_t alignment) {
  const auto padded = [alignment](std::size_t length) { return (length + alignment - 1) & ~(alignment - 1); };
  for (std::size_t at = 0; size - at >= sizeof(ElfW(Nhdr));) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof note);
    const std::size_t name = at + sizeof note;
    const std::size_t contents = name + padded(note.n_namesz);
    if (contents > size || note.n_descsz > size - contents) return false;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes + name, "GNU", 4) == 0) {
      hash.add(notes + contents, note.n_descsz);
      return true;
    }
    at = contents + padded(note.n_descsz);
    if (at > size) return false;
  }
  return false;
}

inline ModuleId identify(const dl_phdr_info& info) {
  ModuleHash hash;
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& part = info.dlpi_phdr[i];
    if (part.p_type == PT_NOTE && add_build_id(hash, pointer_to<const char>(info.dlpi_addr + part.p_vaddr),
                                               part.p_memsz, part.p_align == 8 ? 8 : 4)) {
      return hash.id();
    }
  }
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& part = info.dlpi_phdr[i];
    if (part.p_type != PT_LOAD) continue;
    hash.add(part.p_vaddr);
    hash.add(part.p_filesz);
    if ((part.p_flags & (PF_R | PF_W | PF_X)) == (PF_R | PF_X)) {
      hash.add(pointer_to<const char>(info.dlpi_addr + part.p_vaddr), part.p_filesz);
    }
  }
  return hash.id();
}

// The first loaded module that wanted(info) says yes to; empty: none.
template <class Wanted>
std::unique_ptr<Module> find_loaded(Wanted&& wanted) {
  struct Search {
    Wanted& wanted;
    std::unique_ptr<Module> found;
    bool first = true;  // the loader starts with the program
  } search{wanted, nullptr};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* argument) {
        auto& now = *static_cast<Search*>(argument);
        const bool program = std::exchange(now.first, false);
        if (!now.wanted(*info)) return 0;
        now.found = std::make_unique<Module>();
        now.found->id = identify(*info);
        now.found->base = info->dlpi_addr;
        if (!program && info->dlpi_name != nullptr) now.found->path = info->dlpi_name;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& part = info->dlpi_phdr[i];
          if (part.p_type != PT_LOAD) continue;
          const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
          now.found->segments.push_back({begin, begin + part.p_memsz, part.p_flags});
        }
        return 1;
      },
      &search);
  return std::move(search.found);
}

// Modules that were asked for; each is complete before it is linked in, and stays.
[[gnu::visibility("default")]] inline constinit std::atomic<const Module*> g_modules{nullptr};

inline const Module* remember(std::unique_ptr<Module> module) {
  if (module == nullptr) return nullptr;
  if (!module->path.empty()) ::dlopen(module->path.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  module->next = g_modules.load(std::memory_order_acquire);
  while (!g_modules.compare_exchange_weak(module->next, module.get(), std::memory_order_acq_rel)) {
  }
  return module.release();
}

// The module that this address lies in; null: none (the heap, a stack).
inline const Module* module_of(const void* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  for (const Module* module = g_modules.load(std::memory_order_acquire); module != nullptr; module = module->next) {
    if (module->holds(address, 1, 0)) return module;
  }
  return remember(find_loaded([address](const dl_phdr_info& info) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
      const auto& part = info.dlpi_phdr[i];
      if (part.p_type == PT_LOAD && address - (info.dlpi_addr + part.p_vaddr) < part.p_memsz) return true;
    }
    return false;
  }));
}

// The module with this id, which `path` is loaded for if need be; null: there is none.
inline const Module* module_with(const ModuleId& id, const std::string& path) {
  for (const Module* module = g_modules.load(std::memory_order_acquire); module != nullptr; module = module->next) {
    if (module->id == id) return module;
  }
  const auto wanted = [&id](const dl_phdr_info& info) { return identify(info) == id; };
  const Module* module = remember(find_loaded(wanted));
  if (module == nullptr && !path.empty() && ::dlopen(path.c_str(), RTLD_NOW | RTLD_NODELETE) != nullptr) {
    module = remember(find_loaded(wanted));
  }
  return module;
}

}  // namespace nogil::multiprocessing::detail
