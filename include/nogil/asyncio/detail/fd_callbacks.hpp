// nogil/asyncio/detail/fd_callbacks.hpp -- add_reader and add_writer.
//
// Called in each round as long as the descriptor is ready (level-triggered, as in Python):
// a callback need not take all there is.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/completion.hpp"
#include "nogil/asyncio/detail/handle_state.hpp"
#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio::detail {

class FdCallbacks final : public LoopService {
  using Callback = Owned<HandleState>;

  struct Watched final : Watch {
    Watched() noexcept : Watch(&told) {}
    Watched(Watched&& other) noexcept
        : Watch(&told), reader(std::move(other.reader)), writer(std::move(other.writer)) {}

    Events wanted() const noexcept { return (reader ? Events{EPOLLIN} : 0u) | (writer ? Events{EPOLLOUT} : 0u); }

    static void told(Watch& self, Events ready) noexcept {
      auto& watched = static_cast<Watched&>(self);
      if ((ready & kReadable) != 0 && watched.reader) watched.reader->call_once_more();
      if ((ready & kWritable) != 0 && watched.writer) watched.writer->call_once_more();
    }

    Callback reader;
    Callback writer;
  };

 public:
  using Which = Callback Watched::*;
  static constexpr Which kReader = &Watched::reader;
  static constexpr Which kWriter = &Watched::writer;

  explicit FdCallbacks(LoopCore& loop) noexcept : loop_(loop) {}
  ~FdCallbacks() {
    for (std::size_t fd = 0; fd < by_fd_.size(); ++fd) {
      remove(static_cast<int>(fd), kReader);
      remove(static_cast<int>(fd), kWriter);
    }
  }

  // In place of the one that is there. Throws std::system_error, ValueError.
  void set(int fd, Which which, Callback callback) {
    if (fd < 0) throw ValueError("EventLoop: a file descriptor is not negative");
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= by_fd_.size()) by_fd_.resize(slot + 1);
    if (Watched* const known = by_fd_[slot]) {
      const Callback old = std::exchange(known->*which, std::move(callback));
      if (old) old->cancel();
      else loop_.rewatch(fd, known->wanted(), *known);
      return;
    }
    Watched first;
    first.*which = std::move(callback);
    auto* const added = new Watched(std::move(first));
    try {
      loop_.watch(fd, added->wanted(), *added);
    } catch (...) {
      delete added;
      throw;
    }
    by_fd_[slot] = added;
  }

  // Whether there was one.
  bool remove(int fd, Which which) {
    const auto slot = static_cast<std::size_t>(fd);
    if (fd < 0 || slot >= by_fd_.size() || by_fd_[slot] == nullptr) return false;
    Watched* const known = by_fd_[slot];
    const Callback old = std::exchange(known->*which, {});
    if (!old) return false;
    old->cancel();
    if (known->wanted() != 0) {
      loop_.rewatch(fd, known->wanted(), *known);
    } else {
      loop_.unwatch(fd);
      by_fd_[slot] = nullptr;
      delete known;
    }
    return true;
  }

 private:
  LoopCore& loop_;
  std::vector<Watched*> by_fd_;  // null: not watched
};

}  // namespace nogil::asyncio::detail
