// Tests of the errors that go from process to process: an exception that is sent is the same one
// there (detail/exception_codec.hpp).

#include "nogil/multiprocessing/detail/exception_codec.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>
#include <vector>

namespace nogil::multiprocessing::detail::errors_test {
namespace {

struct Unheard : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Frame saved(const std::exception_ptr& exception) {
  Frame frame;
  OutputArchive out(frame);
  save_exception(out, exception);
  return frame;
}

std::exception_ptr through(const std::exception_ptr& exception) {
  Frame frame = saved(exception);
  InputArchive in(frame);
  std::exception_ptr copy = load_exception(in);
  EXPECT_EQ(in.left(), 0u);
  return copy;
}

template <class E>
void expect_same(const E& error) {
  try {
    std::rethrow_exception(through(std::make_exception_ptr(error)));
  } catch (const std::exception& copy) {
    EXPECT_EQ(typeid(copy), typeid(E));
    EXPECT_STREQ(copy.what(), error.what());
  }
}

TEST(ExceptionElsewhere, is_itself_when_it_is_one_of_std) {
  expect_same(std::exception());
  expect_same(std::invalid_argument("bad"));
  expect_same(std::out_of_range("far"));
  expect_same(std::runtime_error(""));
  expect_same(std::overflow_error("much"));
  expect_same(std::bad_alloc());
  expect_same(std::bad_cast());
  expect_same(std::bad_optional_access());
  expect_same(std::bad_variant_access());
}

TEST(ExceptionElsewhere, is_itself_when_it_is_one_of_nogil) {
  expect_same(ValueError("v"));
  expect_same(RuntimeError("r"));
  expect_same(TimeoutError("t"));
  expect_same(CancelledError("c"));
  expect_same(Full("f"));
  expect_same(ShutDown("s"));
  expect_same(OwnerDied("o"));
  expect_same(EndOfFile("e"));
  expect_same(DecodeError("d"));
}

TEST(ExceptionElsewhere, is_itself_when_an_executor_is_broken) {
  expect_same(BrokenExecutor("e"));
  expect_same(BrokenThreadPool("t"));
  expect_same(BrokenProcessPool("p"));
  for (const int exitcode : {-9, 0, 3}) {
    try {
      std::rethrow_exception(through(std::make_exception_ptr(WorkerDied("w", 7, exitcode))));
    } catch (const WorkerDied& copy) {
      EXPECT_STREQ(copy.what(), "w");
      EXPECT_EQ(copy.pid(), 7);
      EXPECT_EQ(copy.signal() ? -*copy.signal() : *copy.exit_code(), exitcode);
    }
  }
}

TEST(ExceptionElsewhere, is_a_group_of_what_was_in_the_group) {
  const ExceptionGroup inner("inner", {std::make_exception_ptr(ValueError("v")), std::make_exception_ptr(42)});
  const ExceptionGroup outer("outer", {std::make_exception_ptr(inner), std::make_exception_ptr(TimeoutError("t"))});
  try {
    std::rethrow_exception(through(std::make_exception_ptr(outer)));
  } catch (const ExceptionGroup& copy) {
    EXPECT_STREQ(copy.what(), outer.what());
    ASSERT_EQ(copy.exceptions().size(), 2u);
    EXPECT_TRUE(copy.subgroup<ValueError>() && copy.subgroup<TimeoutError>());
    EXPECT_TRUE(copy.subgroup<RemoteError>()) << "the number";
  }
  std::exception_ptr deep = std::make_exception_ptr(ValueError("v"));
  for (int depth = 0; depth < 300; ++depth) deep = std::make_exception_ptr(ExceptionGroup("g", {deep}));
  EXPECT_THROW(std::rethrow_exception(through(deep)), ExceptionGroup) << "cut where it is nested without end";
}

TEST(ExceptionElsewhere, keeps_its_error_code) {
  for (const auto& error :
       {std::system_error(ENOENT, std::generic_category(), "open x"), std::system_error(EIO, std::system_category()),
        std::system_error(EPERM, std::generic_category(), "")}) {
    try {
      std::rethrow_exception(through(std::make_exception_ptr(error)));
    } catch (const std::system_error& copy) {
      EXPECT_EQ(copy.code(), error.code());
      EXPECT_STREQ(copy.what(), error.what());
    }
  }
}

TEST(ExceptionElsewhere, is_a_remote_error_when_its_type_is_not_known) {
  try {
    std::rethrow_exception(through(std::make_exception_ptr(Unheard("of"))));
  } catch (const RemoteError& copy) {
    EXPECT_STREQ(copy.what(), "of");
    EXPECT_NE(copy.type_name().find("Unheard"), std::string::npos);
    EXPECT_EQ(copy.pid(), ::getpid());
  }
  try {
    std::rethrow_exception(through(std::make_exception_ptr(42)));
  } catch (const RemoteError& copy) {
    EXPECT_EQ(copy.type_name(), "int");
  }
}

TEST(ExceptionElsewhere, stays_the_same_remote_error_on_a_second_way) {
  try {
    std::rethrow_exception(through(std::make_exception_ptr(RemoteError("what", "theirs::Type", 7))));
  } catch (const RemoteError& copy) {
    EXPECT_STREQ(copy.what(), "what");
    EXPECT_EQ(copy.type_name(), "theirs::Type");
    EXPECT_EQ(copy.pid(), 7);
  }
}

template <class Inner, class Outer>
std::exception_ptr nested(Inner inner, Outer outer) {
  try {
    try {
      throw inner;
    } catch (...) {
      std::throw_with_nested(outer);
    }
  } catch (...) {
    return std::current_exception();
  }
}

TEST(ExceptionElsewhere, keeps_what_is_nested_in_it) {
  try {
    std::rethrow_exception(through(nested(std::out_of_range("inner"), ValueError("outer"))));
  } catch (const ValueError& outer) {
    EXPECT_STREQ(outer.what(), "outer");
    EXPECT_THROW(std::rethrow_if_nested(outer), std::out_of_range);
  }
  try {
    std::rethrow_exception(through(nested(Unheard("inner"), Unheard("outer"))));
  } catch (const RemoteError& outer) {
    EXPECT_NE(outer.type_name().find("Unheard"), std::string::npos);
    EXPECT_EQ(outer.type_name().find("ested"), std::string::npos) << outer.type_name();
    EXPECT_THROW(std::rethrow_if_nested(outer), RemoteError);
  }
}

TEST(ExceptionElsewhere, is_cut_where_it_is_nested_without_end) {
  std::exception_ptr chain = std::make_exception_ptr(std::runtime_error("0"));
  for (int depth = 1; depth < 500; ++depth) {
    try {
      try {
        std::rethrow_exception(chain);
      } catch (...) {
        std::throw_with_nested(std::runtime_error("next"));
      }
    } catch (...) {
      chain = std::current_exception();
    }
  }
  EXPECT_THROW(std::rethrow_exception(through(chain)), std::runtime_error);
}

TEST(ExceptionElsewhere, survives_frames_with_any_bytes_changed) {
  std::mt19937 random(7);
  for (const auto& exception :
       {nested(std::out_of_range("inner"), ValueError("outer")), std::make_exception_ptr(Unheard("of")),
        std::make_exception_ptr(std::system_error(ENOENT, std::generic_category(), "open")),
        std::make_exception_ptr(ExceptionGroup("g", {std::make_exception_ptr(WorkerDied("w", 1, 2))}))}) {
    const Frame frame = saved(exception);
    for (int round = 0; round < 3000; ++round) {
      std::vector<std::byte> bytes(frame.bytes.data(), frame.bytes.data() + frame.bytes.size());
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      if (round % 3 == 0) bytes.resize(random() % bytes.size());
      InputArchive in(bytes.data(), bytes.size());
      try {
        EXPECT_NE(load_exception(in), nullptr);
      } catch (const DecodeError&) {
      }
    }
  }
}

}  // namespace
}  // namespace nogil::multiprocessing::detail::errors_test
