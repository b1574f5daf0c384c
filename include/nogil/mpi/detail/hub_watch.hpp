// nogil/mpi/detail/hub_watch.hpp -- who looks for results: those who wait for them, and the watcher.
//
// The rest of hub.hpp.

#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "nogil/mpi/detail/hub.hpp"

namespace nogil::mpi::detail {

// With the turn: one look. False: nothing had come.
inline bool Hub::look(std::vector<TaskBlock*>& untold) noexcept {
  const Ref<Packet> packet = exchange_.step();
  if (!packet) return false;
  Taken taken;
  {
    const platform::RawGuard guard(exchange_.lock());
    last_message_ = Crowd::clock();
    take_in(packet, taken);
    urgent_ = false;
  }
  exchange_.send();
  conclude(taken, Finisher(untold));
  return true;
}

// Gives the turn back, when all is sent; leaves the telling to the watcher. Whether he is to
// be called, also to see on its way what is large.
inline bool Hub::leave(std::vector<TaskBlock*>& untold) noexcept {
  for (;;) {
    exchange_.send();
    const platform::RawGuard guard(exchange_.lock());
    if (exchange_.outgoing()) continue;
    urgent_ = false;
    pumping_ = false;
    exchange_.give_back();
    untold_.insert(untold_.end(), untold.begin(), untold.end());
    untold.clear();
    return !untold_.empty() || asked_ || exchange_.moving();
  }
}

// By a thread that is not the watcher, which makes room for it. False: it was not to be had, and
// somebody else will look.
template <class Enough>
inline bool Hub::take_turn(Enough enough) noexcept {
  if (!exchange_.may_take()) {
    {
      const platform::RawGuard guard(exchange_.lock());
      asked_ = true;
    }
    exchange_.ring();
    return false;
  }
  fetchers_.fetch_add(1, std::memory_order_relaxed);
  bool mine = false;
  for (Patience patience;;) {
    {
      const platform::RawGuard guard(exchange_.lock());
      if (!over_) mine = exchange_.take();
      if (mine) pumping_ = true;
      else asked_ = true;  // who has the turn calls the watcher when he leaves
      if (mine || over_ || pumping_) break;
    }
    // The watcher leaves after his look, which takes longer if it moves something.
    if (enough() || !patience.again(exchange_.traffic())) break;
  }
  fetchers_.fetch_sub(1, std::memory_order_relaxed);
  return mine;
}

// By a thread that is not the watcher: takes in what comes until enough(), or nothing comes for
// a while.
template <class Enough>
inline void Hub::pump(Enough enough) noexcept {
  if (!take_turn(enough)) return;
  std::vector<TaskBlock*> untold;
  bool found = true;
  for (Patience patience; !enough();) {
    if (look(untold)) patience.reset();
    else if (found = patience.again(exchange_.traffic()); !found) break;
    if (untold.empty()) continue;
    {
      const platform::RawGuard guard(exchange_.lock());
      untold_.insert(untold_.end(), untold.begin(), untold.end());
    }
    untold.clear();
    exchange_.ring();
  }
  if (leave(untold) || !found) exchange_.ring();
}

inline void Hub::watch() noexcept {
  bool traffic = false;
  std::int64_t asked_after = 0;  // when we last asked whether a rank is lost
  for (bool over = false;;) {
    const std::uint32_t seen = exchange_.rung();
    std::vector<TaskBlock*> untold;
    bool mine = false;
    bool eager = false;
    bool worried = false;
    {
      const platform::RawGuard guard(exchange_.lock());
      untold.swap(untold_);
      over = over_;
      mine = watching_ = exchange_.take();
      if (mine) {
        eager = out_ != 0 && (traffic || std::exchange(asked_, false));
        const std::int64_t now = Crowd::clock();
        worried = (out_ != 0 || anything_closing()) && now - last_message_ > kWorry && now - asked_after > kWorry;
        if (worried) asked_after = now;
      }
    }
    if (worried) exchange_.look_for_lost();
    for (TaskBlock* const block : untold) block->tell();
    untold.clear();
    if (mine) {
      traffic = false;
      for (Patience patience; fetchers_.load(std::memory_order_relaxed) == 0;) {
        if (look(untold)) {
          traffic = true;
          patience.reset();
        } else if (!(eager || traffic || exchange_.moving()) || !patience.again(exchange_.traffic())) {
          break;
        }
        if (!untold.empty()) break;
      }
      leave(untold);
    }
    std::int64_t sleep = Patience::kLongestSleep;
    {
      const platform::RawGuard guard(exchange_.lock());
      watching_ = false;
      if (!untold_.empty()) continue;
      if (over) break;
      const std::int64_t now = Crowd::clock();
      if (!std::exchange(drowsy_, true)) last_message_ = now;  // it was called after a long silence
      for (const Ref<RankPool>& pool : pools_) balance(*pool, now);
      if (exchange_.outgoing()) continue;
      const std::int64_t silence = now - last_message_;
      if (out_ != 0 || anything_closing()) {
        if (mine) sleep = exchange_.moving() ? Patience::kFirstSleep : Patience::sleep_after(silence);
      } else if (silence > kDrowsy && !exchange_.taken() && exchange_.idle()) {
        drowsy_ = false;
        sleep = 0;
      }
    }
    exchange_.sleep(seen, sleep);
  }
  while (!exchange_.idle()) exchange_.step();
  ended_.set();
}

// True: the caller waits for the watcher, which must be another thread.
inline bool Hub::wait_ended(RankPool& pool, platform::Wait& wait) {
  if (!wait.immediate()) pump([&pool] { return pool.ended.is_set(); });
  return pool.ended.is_set() || pool.ended.wait_slow(wait);
}

inline void Hub::finish(bool cancel) noexcept {
  std::vector<Ref<RankPool>> open;
  {
    const platform::RawGuard guard(exchange_.lock());
    open = pools_;
  }
  for (const Ref<RankPool>& pool : open) close(*pool, cancel);
  platform::Wait forever;
  for (const Ref<RankPool>& pool : open) wait_ended(*pool, forever);
  {
    const platform::RawGuard guard(exchange_.lock());
    for (std::size_t rank = 1; rank < ranks_; ++rank) {
      bool there = true;
      for (const int lost : lost_) there = there && lost != static_cast<int>(rank);
      if (there) exchange_.append(static_cast<int>(rank), {RecordKind::kStop, 0, 0, 0});
    }
    over_ = true;
  }
  exchange_.ring();
  if (!ended_.is_set()) ended_.wait_slow(forever);
  retire();
}

}  // namespace nogil::mpi::detail
