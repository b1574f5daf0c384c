// nogil/asyncio/detail/completion.hpp -- what a task and a future have in common: once, it is done.
//
// Counts its owners (handles; a loop owns its unfinished tasks), and tells its DoneNodes
// when it is done, in the order in which they came. A node lies in the memory of who wants
// to know.
//
// Threads   All of it by the loop's thread.

#pragma once

#include <cstdint>
#include <exception>
#include <utility>

#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/platform/node_ring.hpp"

namespace nogil::asyncio::detail {

class Completion;

// Told once, in the step that completes it; by then it is in no list. Runs no user code:
// it wakes a waiter, or makes a node ready that will run it.
struct DoneNode {
  using Tell = void (*)(DoneNode& self, Completion& done) noexcept;

  constexpr explicit DoneNode(Tell function) noexcept : tell(function) {}
  constexpr DoneNode(const DoneNode& other) noexcept : tell(other.tell) {}
  DoneNode& operator=(const DoneNode&) = delete;

  bool listed() const noexcept { return next != nullptr; }

  const Tell tell;
  DoneNode* next = nullptr;  // a ring, as long as it is listed
  DoneNode* previous = nullptr;

 protected:
  ~DoneNode() = default;
};

enum class DoneState : std::uint8_t { kPending, kFinished, kFailed, kCancelled };

class Completion : public Pooled {
 public:
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  virtual ~Completion() = default;

  LoopCore& loop() const noexcept { return loop_; }
  DoneState state() const noexcept { return state_; }
  bool done() const noexcept { return state_ != DoneState::kPending; }
  bool cancelled() const noexcept { return state_ == DoneState::kCancelled; }
  bool failed() const noexcept { return state_ == DoneState::kFailed; }

  // Asks for its cancellation: Task.cancel() and Future.cancel() of Python.
  virtual bool cancel() = 0;

  // What it failed with. Only if failed().
  virtual const std::exception_ptr& error() const noexcept = 0;

  // Somebody has seen how it ended: no need to report it.
  void mark_retrieved() noexcept { retrieved_ = true; }

  // Nobody needs to see how it ends, or has ended: it is never reported.
  void disregard() noexcept { disregarded_ = true; }

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }
  bool has_one_owner() const noexcept { return owners_ == 1; }

  // Only if it is not done.
  void add(DoneNode& node) noexcept { platform::append_to_ring(nodes_, node); }

  // A node that is listed.
  void remove(DoneNode& node) noexcept { platform::remove_from_ring(nodes_, node); }

 protected:
  // The first one that wants to know, or null.
  DoneNode* first_node() const noexcept { return nodes_; }

  explicit Completion(LoopCore& loop, std::uint32_t owners) noexcept : loop_(loop), owners_(owners) {}

  void complete(DoneState state) noexcept {
    state_ = state;
    retrieved_ = false;  // whatever was asked before
    while (DoneNode* const node = nodes_) {
      remove(*node);
      node->tell(*node, *this);
    }
  }

  bool retrieved() const noexcept { return retrieved_ || disregarded_; }

 private:
  LoopCore& loop_;
  DoneNode* nodes_ = nullptr;  // the first
  std::uint32_t owners_;
  DoneState state_ = DoneState::kPending;
  bool retrieved_ = false;
  bool disregarded_ = false;
};

// An ownership of one, or none.
template <class T>
class Owned {
 public:
  constexpr Owned() noexcept = default;
  constexpr explicit Owned(T* owned) noexcept : object_(owned) {}  // takes over an ownership
  Owned(const Owned& other) noexcept : object_(other.object_) {
    if (object_ != nullptr) object_->add_ref();
  }
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() {
    if (object_ != nullptr) object_->drop();
  }

  static Owned share(T& object) noexcept {
    object.add_ref();
    return Owned(&object);
  }

  // Gives the ownership away.
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

// A node that runs code of its owner's: in the loop's next round, as a callback of
// add_done_callback() in Python does.
struct ScheduledNode : DoneNode, Ready {
  using OnDone = void (*)(ScheduledNode& self, Completion& done) noexcept;

  explicit ScheduledNode(OnDone function) noexcept : DoneNode(&told), Ready(&run_node), on_done(function) {}

  // Whoever destroys it first calls this; `of` is what it was added to.
  void withdraw_from(Completion& of) noexcept {
    if (listed()) of.remove(*this);
    else of.loop().withdraw(*this);
  }

  // For one that is done already.
  static void told(DoneNode& node, Completion& done) noexcept {
    auto& self = static_cast<ScheduledNode&>(node);
    self.source = &done;
    done.loop().push(self);
  }

  const OnDone on_done;
  Completion* source = nullptr;  // must live until the node has run: an owner is needed

 private:
  static void run_node(Ready& node) noexcept {
    auto& self = static_cast<ScheduledNode&>(node);
    self.on_done(self, *self.source);
  }
};

}  // namespace nogil::asyncio::detail
