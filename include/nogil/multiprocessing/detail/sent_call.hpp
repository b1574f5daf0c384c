// nogil/multiprocessing/detail/sent_call.hpp -- a callable that goes along with something that is sent.
//
//   SentCall action = [] { … };     // or {}: none
//   if (action) action();           // in whatever process it has come to
//
// Its bytes are made once; copies share them. Each call makes the callable anew.

#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

class SentCall {
 public:
  SentCall() noexcept = default;

  // Throws ValueError for a callable with references to variables on this thread's stack.
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, SentCall> && std::invocable<std::decay_t<F>&>)
      SentCall(const F& callable)  // NOLINT(google-explicit-constructor): any callable will do
      : call_(new Shared) {
    OutputArchive out(call_->frame);
    save_call<Result::kDropped>(out, callable);
  }

  explicit operator bool() const noexcept { return static_cast<bool>(call_); }

  void operator()() const {
    std::vector<platform::Fd> files;
    for (const platform::Fd& file : call_->frame.files) files.push_back(platform::Fd::duplicate(file.get()));
    InputArchive in(call_->frame.bytes.data(), call_->frame.bytes.size(), &files);
    Frame nothing;
    OutputArchive dropped(nothing);
    run_call(in, dropped);
  }

 private:
  friend struct Adapter<SentCall>;

  struct Shared : nogil::detail::Counted {
    Frame frame;
  };

  nogil::detail::Ref<Shared> call_;  // null: none
};

template <>
struct Adapter<SentCall> {
  static void save(OutputArchive& out, const SentCall& call) {
    out.write_raw(static_cast<std::uint8_t>(call ? 1 : 0));
    if (!call) return;
    const Frame& frame = call.call_->frame;
    out.write_raw(std::uint64_t{frame.bytes.size()});
    out.write(frame.bytes.data(), frame.bytes.size());
    out.write_raw(static_cast<std::uint32_t>(frame.files.size()));
    for (const platform::Fd& file : frame.files) out.write_file(file.get());
  }
  static SentCall load(InputArchive& in) {
    SentCall call;
    if (!load_flag(in)) return call;
    call.call_ = nogil::detail::Ref<SentCall::Shared>(new SentCall::Shared);
    Frame& frame = call.call_->frame;
    const std::size_t size = in.read_count();
    const std::byte* const bytes = in.read(size);
    if (size != 0) std::memcpy(frame.bytes.extend(size), bytes, size);
    for (auto left = in.read_raw<std::uint32_t>(); left > 0; --left) frame.files.push_back(in.read_file());
    return call;
  }
};

}  // namespace nogil::multiprocessing::detail
