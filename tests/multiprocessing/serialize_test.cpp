// Tests of nogil/multiprocessing/serialize.hpp: what can be sent, and that no bytes, however
// wrong, do more harm than a DecodeError.

#include "nogil/multiprocessing/serialize.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace nogil::multiprocessing {
namespace {

struct Point {
  int x = 0;
  double y = 0;

  friend bool operator==(const Point&, const Point&) = default;
};

// No default constructor, but its bytes make it.
struct Celsius {
  explicit Celsius(double d) : degrees(d) {}
  double degrees;

  friend bool operator==(const Celsius&, const Celsius&) = default;
};

struct Job {
  std::string name;
  std::vector<Point> path;
  std::map<std::string, int> counts;
  int grid[2][2] = {};
  std::string pair[2];

  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, path, counts, grid, pair);
  }
  friend bool operator==(const Job&, const Job&) = default;
};

struct Tree {
  int value = 0;
  std::unique_ptr<Tree> left, right;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(value, left, right);
  }
};

struct Hollow {
  template <class Archive>
  void serialize(Archive&) {}
  friend bool operator==(const Hollow&, const Hollow&) = default;
};

enum class Colour : std::uint16_t { red, green = 500 };

}  // namespace

namespace elsewhere {

class Sealed {
 public:
  Sealed() = default;
  explicit Sealed(std::string text) : text_(std::move(text)) {}
  std::string& text() { return text_; }

  friend bool operator==(const Sealed&, const Sealed&) = default;

 private:
  std::string text_;
};

template <class Archive>
void serialize(Archive& archive, Sealed& sealed) {
  archive(sealed.text());
}

}  // namespace elsewhere

namespace {

template <class T>
T through(const T& value) {
  detail::Frame frame;
  OutputArchive out(frame);
  out(value);
  InputArchive in(frame);
  T copy = in.get<T>();
  EXPECT_EQ(in.left(), 0u);
  return copy;
}

template <class T>
void expect_same(const T& value) {
  EXPECT_TRUE(through(value) == value);
}

TEST(Serialize, carries_numbers_as_they_are) {
  expect_same(true);
  expect_same(-7);
  expect_same('x');
  expect_same(std::numeric_limits<std::uint64_t>::max());
  expect_same(3.25);
  expect_same(std::numeric_limits<double>::infinity());
  expect_same(Colour::green);
  expect_same(std::byte{7});
}

TEST(Serialize, carries_trivially_copyable_classes) {
  expect_same(Point{3, 0.5});
  expect_same(Celsius(36.6));
  expect_same(std::complex<double>(1, -2));
  expect_same(std::bitset<100>("1010"));
  expect_same(std::chrono::milliseconds(250));
  expect_same(std::chrono::system_clock::now());
}

TEST(Serialize, carries_strings_and_sequences) {
  expect_same(std::string());
  expect_same(std::string("a\0b", 3));
  expect_same(std::u16string(u"schön"));
  expect_same(std::vector<int>{1, 2, 3});
  expect_same(std::vector<std::string>{"one", "", "three"});
  expect_same(std::vector<bool>{true, false, true});
  expect_same(std::vector<std::vector<Point>>{{{1, 2}}, {}});
  expect_same(std::deque<int>{1, 2});
  expect_same(std::list<std::string>{"a", "b"});
  expect_same(std::forward_list<int>{1, 2, 3});
  expect_same(std::array<int, 3>{1, 2, 3});
  expect_same(std::array<std::string, 2>{"a", "b"});
  expect_same(std::vector<Celsius>{});
}

TEST(Serialize, carries_tables) {
  expect_same(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  expect_same(std::multimap<int, char>{{1, 'a'}, {1, 'b'}});
  expect_same(std::unordered_map<int, std::string>{{1, "x"}, {2, "y"}});
  expect_same(std::set<std::string>{"a", "b"});
  expect_same(std::multiset<int>{1, 1, 2});
  expect_same(std::unordered_set<int>{1, 2, 3});
}

TEST(Serialize, carries_the_vocabulary_types) {
  expect_same(std::pair<int, std::string>(1, "one"));
  expect_same(std::tuple<int, std::string, Point>(1, "one", {2, 3}));
  expect_same(std::tuple<>());
  expect_same(std::optional<int>());
  expect_same(std::optional<std::string>("here"));
  expect_same(std::optional<std::optional<int>>(std::optional<int>()));
  expect_same(std::variant<int, std::string>("text"));
  expect_same(std::variant<int, int>(std::in_place_index<1>, 5));
  expect_same(std::monostate());
  expect_same(std::filesystem::path("/usr/share"));
  EXPECT_EQ(*through(std::make_unique<std::string>("owned")), "owned");
  EXPECT_EQ(through(std::unique_ptr<int>()), nullptr);
}

TEST(Serialize, carries_classes_that_name_their_members) {
  expect_same(Job{"sum", {{1, 2}, {3, 4}}, {{"a", 1}}, {{1, 2}, {3, 4}}, {"x", "y"}});
  expect_same(std::vector<Job>(3));
  expect_same(elsewhere::Sealed("shut"));
  expect_same(std::vector<Hollow>(5));
  expect_same(std::vector<std::tuple<>>(5));
}

TEST(Serialize, carries_what_cannot_be_copied) {
  Tree tree{1, std::make_unique<Tree>(Tree{2, nullptr, std::make_unique<Tree>(Tree{3, nullptr, nullptr})}), nullptr};
  const Tree copy = through(tree);
  EXPECT_EQ(copy.left->right->value, 3);
  EXPECT_EQ(copy.right, nullptr);
}

TEST(Serialize, says_what_cannot_be_sent) {
  static_assert(Sendable<int> && Sendable<Job> && Sendable<std::vector<std::unique_ptr<Tree>>>);
  static_assert(Sendable<elsewhere::Sealed>);
  static_assert(!Sendable<int*> && !Sendable<std::vector<int*>> && !Sendable<std::map<int, const char*>>);
  static_assert(!Sendable<std::string_view> && !Sendable<std::span<int>> && !Sendable<std::vector<int>::iterator>);
  static_assert(!Sendable<std::function<void()>> && !Sendable<std::reference_wrapper<int>>);
  static_assert(!Sendable<std::tuple<int, void (*)()>> && !Sendable<std::optional<std::string_view>>);
  static_assert(!Sendable<std::variant<int, int*>> && !Sendable<std::unique_ptr<int[]>> && !Sendable<const int>);
  static_assert(!Sendable<std::array<int*, 2>> && !Sendable<std::coroutine_handle<>> && !Sendable<std::error_code>);
}

// ---- Bytes that are wrong ------------------------------------------------------------

TEST(Serialize, refuses_every_frame_that_was_cut_short) {
  detail::Frame frame;
  const auto value = std::make_tuple(Job{"sum", {{1, 2}}, {{"a", 1}}, {}, {}}, std::optional<std::string>("x"),
                                     std::variant<int, std::string>("y"), std::vector<bool>{true});
  OutputArchive out(frame);
  out(value);
  for (std::size_t size = 0; size < frame.bytes.size(); ++size) {
    InputArchive in(frame.bytes.data(), size);
    EXPECT_THROW(in.get<std::remove_const_t<decltype(value)>>(), DecodeError) << size;
  }
}

template <class T>
void expect_refused(std::initializer_list<std::uint64_t> words) {
  detail::Frame frame;
  OutputArchive out(frame);
  for (const std::uint64_t word : words) out(word);
  InputArchive in(frame);
  EXPECT_THROW(in.get<T>(), DecodeError);
}

TEST(Serialize, believes_no_count) {
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  for (const std::uint64_t count : {std::uint64_t{9}, kHuge, kHuge / 8 + 2, std::uint64_t{1} << 40}) {
    expect_refused<std::string>({count, 0});
    expect_refused<std::vector<double>>({count, 0});
    expect_refused<std::vector<std::string>>({count, 0});
    expect_refused<std::vector<Hollow>>({count, 0});
    expect_refused<std::vector<bool>>({count, 0});
    expect_refused<std::map<char, char>>({count, 0});
    expect_refused<std::forward_list<int>>({count, 0});
  }
  expect_refused<std::vector<double>>({2, 0});  // as many as there are bytes, but not of that size
}

TEST(Serialize, refuses_what_is_no_value_of_the_type) {
  expect_refused<bool>({2});
  expect_refused<std::vector<bool>>({1, 0x55});
  expect_refused<std::optional<int>>({7, 7});
  expect_refused<std::variant<int, char>>({2, 0});
  expect_refused<std::unique_ptr<int>>({9});
}

TEST(Serialize, ends_before_the_stack_does) {
  struct Deep {
    std::unique_ptr<Deep> next;
    void serialize(OutputArchive& archive) { archive(next); }
    void serialize(InputArchive& archive) { archive(next); }
  };
  std::vector<std::byte> bytes(1'000'000, std::byte{1});
  InputArchive in(bytes.data(), bytes.size());
  EXPECT_THROW(in.get<Deep>(), DecodeError);

  Deep chain;
  for (int depth = 0; depth < 2000; ++depth) {
    auto inner = std::make_unique<Deep>(std::move(chain));
    chain.next = std::move(inner);
  }
  detail::Frame frame;
  OutputArchive out(frame);
  EXPECT_THROW(out(chain), DecodeError);
  while (chain.next) chain = Deep{std::move(chain.next->next)};  // not by recursion either
}

// Changes bytes at random in frames that were right. Each is read in full or refused; a
// sanitizer, and a limit on memory, watch how.
TEST(Serialize, survives_frames_with_any_bytes_changed) {
  using Value =
      std::tuple<Job, std::vector<std::variant<int, std::string, std::optional<Point>>>, std::list<bool>,
                 std::map<std::string, std::vector<std::set<int>>>, std::vector<Hollow>, std::unique_ptr<Tree>>;
  Value value;
  std::get<0>(value) = Job{"a name", {{1, 2}, {3, 4}}, {{"k", 1}, {"l", 2}}, {}, {"x", "y"}};
  std::get<1>(value) = {1, "two", Point{3, 4}};
  std::get<2>(value) = {true, false};
  std::get<3>(value) = {{"m", {{1, 2}, {}}}};
  std::get<4>(value).resize(3);
  std::get<5>(value) = std::make_unique<Tree>(Tree{7, std::make_unique<Tree>(), nullptr});
  detail::Frame frame;
  OutputArchive out(frame);
  out(value);
  const std::vector<std::byte> right(frame.bytes.data(), frame.bytes.data() + frame.bytes.size());

  std::mt19937 random(20260101);
  const auto below = [&random](std::size_t n) { return random() % n; };
  int read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes = right;
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = below(bytes.size());
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<std::byte>(random());
          break;
        case 1:
          bytes[at] ^= static_cast<std::byte>(1u << below(8));
          break;
        case 2:
          bytes.resize(at + 1);
          break;
        default:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::byte>(random()));
      }
    }
    InputArchive in(bytes.data(), bytes.size());
    try {
      in.get<Value>();
      ++read;
    } catch (const DecodeError&) {
      ++refused;
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace nogil::multiprocessing
