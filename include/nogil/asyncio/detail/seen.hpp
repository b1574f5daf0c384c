// nogil/asyncio/detail/seen.hpp -- which objects were there before.
//
// For ranges in which a task may come twice. (std::set would do: <set> costs each program
// that includes asyncio.hpp as much as all locks and events of it.)
//
// Cost       O(1) an object, as a hash table without holes; one allocation for few of them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nogil::asyncio::detail {

class Seen {
 public:
  // Whether it is new. Throws std::bad_alloc.
  bool insert(const void* object) {
    if (2 * count_ >= slots_.size()) grow();
    const void*& slot = find(object);
    if (slot == object) return false;
    slot = object;
    ++count_;
    return true;
  }

 private:
  static constexpr std::size_t kFirstSize = 16;

  // Where it is, or the free slot where it belongs: there always is one.
  const void*& find(const void* object) noexcept {
    const std::size_t mask = slots_.size() - 1;
    const auto number = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(object));
    auto at = static_cast<std::size_t>((number * 0x9e3779b97f4a7c15) >> 32) & mask;
    while (slots_[at] != nullptr && slots_[at] != object) at = (at + 1) & mask;
    return slots_[at];
  }

  void grow() {
    std::vector<const void*> before(slots_.empty() ? kFirstSize : 2 * slots_.size(), nullptr);
    slots_.swap(before);
    for (const void* const object : before) {
      if (object != nullptr) find(object) = object;
    }
  }

  std::vector<const void*> slots_;  // a power of two, half of them free at least
  std::size_t count_ = 0;
};

}  // namespace nogil::asyncio::detail
