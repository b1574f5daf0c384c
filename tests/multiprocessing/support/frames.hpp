// tests/multiprocessing/support/frames.hpp -- what a process reads from another, to be fed with wrong bytes.

#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "nogil/multiprocessing/connection.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/child_main.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/detail/sent_call.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/queue.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::testing {

// Of all the kinds that kind.hpp knows.
struct Everything {
  int number = 0;
  bool flag = false;
  std::string text;
  std::vector<double> numbers;
  std::vector<bool> flags;
  std::map<std::string, std::vector<int>> map;
  std::unordered_map<int, std::string> table;
  std::set<std::string> names;
  std::deque<std::pair<int, std::string>> row;
  std::optional<std::tuple<int, std::string>> maybe;
  std::variant<int, std::string, std::vector<int>> either;
  std::unique_ptr<Everything> inner;
  std::filesystem::path path;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, flag, text, numbers, flags, map, table, names, row, maybe, either, inner, path);
  }

  static Everything example() {
    Everything one;
    one.number = 7;
    one.flag = true;
    one.text = "text";
    one.numbers = {1, 2, 3};
    one.flags = {true, false};
    one.map = {{"a", {1, 2}}, {"b", {}}};
    one.table = {{1, "one"}};
    one.names = {"x", "y"};
    one.row = {{1, "1"}, {2, "2"}};
    one.maybe = {5, "five"};
    one.either = std::vector<int>{1, 2, 3};
    one.inner = std::make_unique<Everything>();
    one.path = "/some/path";
    return one;
  }
};

inline std::string join(const std::vector<std::string>& words, int times) {
  std::string all;
  for (const std::string& word : words) all += word;
  return times > 3 ? "" : all;
}

inline constexpr unsigned kFrameKinds = 6;

// A frame of each kind, as it is sent.
inline mp::detail::Frame good_frame(unsigned kind) {
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  if (kind == 0) out(Everything::example());
  if (kind == 1) mp::detail::save_call<mp::detail::Result::kSent>(out, join, std::vector<std::string>{"a", "b"}, 2);
  if (kind == 2) {
    const std::vector<std::exception_ptr> all{std::make_exception_ptr(WorkerDied("died", 3, -9)),
                                              std::make_exception_ptr(std::out_of_range("far"))};
    mp::detail::save_exception(out, std::make_exception_ptr(ExceptionGroup("group", all)));
  }
  if (kind == 3) out(mp::detail::JobHead{{"name", 0, true}, {"parent", 1, false}, {}});
  if (kind == 4) out(mp::Lock(), mp::Queue<int>());
  if (kind == 5) out(mp::detail::SentCall([] {}), std::vector<Everything>(2));
  return frame;
}

// Reads these bytes as a frame of that kind. Whatever they are, it reads them or throws what
// a task may throw; it neither crashes nor allocates much more than they are long.
inline void read_frame(unsigned kind, const std::byte* bytes, std::size_t size) {
  std::vector<platform::Fd> files;
  mp::InputArchive in(bytes, size, &files);
  try {
    if (kind == 0) in.get<Everything>();
    if (kind == 1) {
      mp::detail::Frame result;
      mp::OutputArchive out(result);
      mp::detail::run_call(in, out);
    }
    if (kind == 2) mp::detail::load_exception(in);
    if (kind == 3) in.get<mp::detail::JobHead>();
    if (kind == 4) in.get<mp::Lock>(), in.get<mp::Queue<int>>(), in.get<mp::Connection<int>>();
    if (kind == 5) in.get<mp::detail::SentCall>(), in.get<std::vector<Everything>>();
  } catch (const DecodeError&) {
  } catch (const RuntimeError&) {  // code that is not there
  } catch (const std::system_error&) {
  }
}

}  // namespace nogil::testing
