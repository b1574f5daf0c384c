// Tests of nogil/multiprocessing/cereal.hpp, where cereal is installed.

#include <gtest/gtest.h>

#if __has_include(<cereal/cereal.hpp>)

#include <bitset>
#include <cereal/types/base_class.hpp>
#include <cereal/types/bitset.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <memory>
#include <string>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/cereal.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/queue.hpp"

namespace nogil::testing {

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};

struct Square : Shape {
  double side = 0;
  double area() const override { return side * side; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(side);
  }
};

}  // namespace nogil::testing

CEREAL_REGISTER_TYPE(nogil::testing::Square)
CEREAL_REGISTER_POLYMORPHIC_RELATION(nogil::testing::Shape, nogil::testing::Square)

namespace nogil::testing {

// With save() and load().
struct Split {
  std::string text;
  std::vector<double> numbers;

  template <class Archive>
  void save(Archive& archive) const {
    archive(text, CEREAL_NVP(numbers));
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(text, CEREAL_NVP(numbers));
  }
};

// Its bytes would not do, though they could be copied.
struct Pointing {
  static inline const int kNumbers[] = {10, 11, 12};
  const int* at = kNumbers;

  template <class Archive>
  void save(Archive& archive) const {
    archive(static_cast<int>(at - kNumbers));
  }
  template <class Archive>
  void load(Archive& archive) {
    int place = 0;
    archive(place);
    at = kNumbers + place % 3;
  }
};

// Nobody has told cereal of it.
struct Unregistered : Shape {
  double area() const override { return 0; }
  template <class Archive>
  void serialize(Archive&) {}
};

// With a version.
struct Versioned {
  std::string text;
  std::uint32_t seen = 0;

  template <class Archive>
  void serialize(Archive& archive, const std::uint32_t version) {
    archive(text);
    seen = version;
  }
};

}  // namespace nogil::testing

CEREAL_CLASS_VERSION(nogil::testing::Versioned, 7)

namespace nogil::testing {

// With private functions.
class Private {
 public:
  Private() = default;
  explicit Private(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }

 private:
  friend class cereal::access;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text_);
  }
  std::string text_;
};

// By nogil, with members and wrappers that only cereal knows.
struct Mixed {
  std::shared_ptr<int> number;
  std::string text;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(number), cereal::make_nvp("text", text));
  }
};

// By cereal, with a member that only nogil knows.
struct WithQueue {
  mp::Queue<int> queue;

  template <class Archive>
  void save(Archive& archive) const {
    archive(queue);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(queue);
  }
};

namespace cereal_test {
namespace {

template <class T>
T through(const T& value) {
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(value);
  mp::InputArchive in(frame);
  T copy = in.get<T>();
  EXPECT_EQ(in.left(), 0u);
  return copy;
}

TEST(Cereal, carries_shared_pointers) {
  EXPECT_EQ(*through(std::make_shared<std::string>("shared")), "shared");
  EXPECT_EQ(through(std::shared_ptr<int>()), nullptr);
}

TEST(Cereal, carries_polymorphic_objects) {
  auto square = std::make_shared<Square>();
  square->side = 3;
  const std::shared_ptr<Shape> copy = through(std::shared_ptr<Shape>(square));
  EXPECT_EQ(copy->area(), 9);
}

TEST(Cereal, carries_classes_of_all_its_kinds) {
  const Split split = through(Split{"text", {1, 2, 3}});
  EXPECT_EQ(split.text, "text");
  EXPECT_EQ(split.numbers, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(through(Versioned{"text", 0}).seen, 7u);
  EXPECT_EQ(through(Private("text")).text(), "text");
  EXPECT_EQ(through(std::bitset<100>(42)), std::bitset<100>(42));
}

TEST(Cereal, is_asked_for_a_class_that_saves_itself_though_its_bytes_could_be_copied) {
  Pointing one;
  one.at = Pointing::kNumbers + 2;
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(one);
  EXPECT_EQ(frame.bytes.size(), sizeof(int));
  EXPECT_EQ(*through(one).at, 12);
}

TEST(Cereal, says_which_type_was_not_registered) {
  try {
    through(std::shared_ptr<Shape>(std::make_shared<Unregistered>()));
    ADD_FAILURE() << "it went";
  } catch (const cereal::Exception& error) {
    EXPECT_NE(std::string(error.what()).find("Unregistered"), std::string::npos) << error.what();
  }
}

TEST(Cereal, goes_with_what_nogil_carries_itself) {
  const Mixed mixed = through(Mixed{std::make_shared<int>(5), "text"});
  EXPECT_EQ(*mixed.number, 5);
  EXPECT_EQ(mixed.text, "text");
  const auto all = through(std::vector<std::shared_ptr<int>>{std::make_shared<int>(1), nullptr});
  EXPECT_EQ(*all[0], 1);
  EXPECT_EQ(all[1], nullptr);
  const WithQueue one;
  through(one).queue.put(3);
  EXPECT_EQ(one.queue.get(), 3);
}

TEST(Cereal, is_not_made_to_allocate_by_bytes_that_are_wrong) {
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(Split{"text", std::vector<double>(10)});
  std::vector<std::byte> bytes(frame.bytes.data(), frame.bytes.data() + frame.bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] = std::byte{0xff};
    mp::InputArchive in(changed.data(), changed.size());
    try {
      in.get<Split>();
    } catch (const DecodeError&) {
    }
    mp::InputArchive cut(bytes.data(), i);
    EXPECT_THROW(cut.get<Split>(), DecodeError);
  }
}

using AnyCereal = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyCereal);

TEST_P(AnyCereal, goes_to_a_process_and_back) {
  mp::Queue<std::shared_ptr<Shape>> shapes;
  auto square = std::make_shared<Square>();
  square->side = 2;
  EXPECT_EQ(exitcode(
                [](const std::shared_ptr<Shape>& shape, mp::Queue<std::shared_ptr<Shape>> to) {
                  auto larger = std::make_shared<Square>();
                  larger->side = shape->area();
                  to.put(larger);
                },
                std::shared_ptr<Shape>(square), shapes),
            0);
  EXPECT_EQ(shapes.get()->area(), 16);
}

TEST_P(AnyCereal, says_what_a_result_is_that_cannot_be_sent) {
  mp::ProcessPoolExecutor pool({.max_workers = 1, .start_method = GetParam()});
  try {
    pool.submit([]() -> std::shared_ptr<Shape> { return std::make_shared<Unregistered>(); }).result();
    ADD_FAILURE() << "it has a result";
  } catch (const RemoteError& error) {
    EXPECT_EQ(error.type_name(), "cereal::Exception");
    EXPECT_NE(std::string(error.what()).find("Unregistered"), std::string::npos) << error.what();
  }
  EXPECT_EQ(pool.submit([] { return 5; }).result(), 5);
}

}  // namespace
}  // namespace cereal_test
}  // namespace nogil::testing

#endif
