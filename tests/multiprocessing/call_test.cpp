// Tests of what names code in another process (detail/module.hpp, identity.hpp) and of the
// calls made of it (detail/call.hpp). Between processes: process_test.cpp.

#include "nogil/multiprocessing/detail/call.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nogil::multiprocessing::detail::call_test {
namespace {

int square(int x) {
  return x * x;
}
std::string join(const std::string& a, std::string_view b) {
  return a + std::string(b);
}

template <class R, class F, class... A>
R call(const F& f, const A&... arguments) {
  Frame request;
  OutputArchive out(request);
  save_call<Result::kSent>(out, f, arguments...);
  Frame response;
  OutputArchive results(response);
  InputArchive in(request);
  run_call(in, results);
  EXPECT_EQ(in.left(), 0u);
  InputArchive back(response);
  return back.get<R>();
}

TEST(CallElsewhere, takes_functions) {
  EXPECT_EQ(call<int>(square, 7), 49);
  EXPECT_EQ(call<int>(&square, 7), 49);
  EXPECT_EQ(call<double>(static_cast<double (*)(double)>(&std::sqrt), 4.0), 2.0);
}

TEST(CallElsewhere, takes_lambdas) {
  EXPECT_EQ(call<int>([](int x) { return x + 1; }, 1), 2);
  double factor = 0.5;
  for (int base = 40; base < 42; ++base) {
    EXPECT_EQ(call<double>([base, factor](int x) { return base * factor + x; }, 2), base / 2.0 + 2);
    factor = 0.5;
  }
}

TEST(CallElsewhere, tells_lambdas_of_one_name_apart) {
  const auto one = [](int x) { return x + 1; };
  const auto two = [](int x) { return x + 2; };
  EXPECT_EQ(call<int>(one, 1), 2);
  EXPECT_EQ(call<int>(two, 1), 3);
}

struct Scale {
  std::vector<double> factors;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(factors);
  }
  double operator()(int index, double x) const { return factors.at(static_cast<std::size_t>(index)) * x; }
};

TEST(CallElsewhere, takes_objects_that_can_be_sent) {
  EXPECT_EQ(call<double>(Scale{{1, 10}}, 1, 2.5), 25);
}

TEST(CallElsewhere, sends_texts_as_strings) {
  EXPECT_EQ(call<std::string>(join, "a", "b"), "ab");
  EXPECT_EQ(call<std::string>(join, std::string("a"), std::string_view("b")), "ab");
  const char* text = "c";
  EXPECT_EQ(
      call<std::size_t>([](const std::vector<std::string>& all, std::string one) { return all.size() + one.size(); },
                        std::vector<std::string>{"x", "y"}, text),
      3u);
}

TEST(CallElsewhere, passes_arguments_that_can_only_be_moved) {
  EXPECT_EQ(call<int>([](std::unique_ptr<int> owned) { return *owned; }, std::make_unique<int>(5)), 5);
}

TEST(CallElsewhere, drops_results_that_nobody_wants) {
  Frame request;
  OutputArchive out(request);
  save_call<Result::kDropped>(out, [] { return std::function<void()>(); });
  InputArchive in(request);
  Frame response;
  OutputArchive results(response);
  run_call(in, results);
  EXPECT_EQ(response.bytes.size(), 0u);
}

TEST(CallElsewhere, refuses_captures_by_reference) {
  int local = 3;
  Frame frame;
  OutputArchive out(frame);
  EXPECT_THROW(save_call<Result::kSent>(
                   out, [&](int x) { return x + local; }, 1),
               ValueError);
  EXPECT_THROW(save_call<Result::kSent>(
                   out, [number = 1L, &local](int x) { return x + local + number; }, 1),
               ValueError);
  std::thread([&] {
    int inner = 4;
    EXPECT_THROW(save_call<Result::kSent>(out, [&inner] { return inner; }), ValueError);
  }).join();
  static int global = 5;
  EXPECT_EQ(call<int>([to = &global] { return *to; }), 5);  // the same place, in a fork at least
}

TEST(CallElsewhere, refuses_a_null_function) {
  int (*nothing)(int) = nullptr;
  Frame frame;
  OutputArchive out(frame);
  EXPECT_THROW(save_call<Result::kSent>(out, nothing, 1), ValueError);
}

// ---- The checks before the jump ------------------------------------------------------

TEST(Identity, finds_the_program_and_its_libraries) {
  static int mine;
  const Module* const program = module_of(&mine);
  ASSERT_NE(program, nullptr);
  EXPECT_EQ(program->path, "");
  EXPECT_EQ(module_of(reinterpret_cast<const void*>(&square)), program);
  EXPECT_EQ(module_with(program->id, ""), program);

  const Module* const library = module_of(reinterpret_cast<const void*>(&::dlopen));
  ASSERT_NE(library, nullptr);
  if (library != program) {  // a program that is not PIE has a stub of its own for it
    EXPECT_NE(library->path, "");
    EXPECT_FALSE(library->id == program->id);
    EXPECT_EQ(module_with(library->id, library->path), library);
  }
}

TEST(Identity, knows_that_heap_and_stack_are_no_module) {
  int local = 0;
  EXPECT_EQ(module_of(&local), nullptr);
  const auto owned = std::make_unique<int>(1);
  EXPECT_EQ(module_of(owned.get()), nullptr);
  EXPECT_EQ(module_of(nullptr), nullptr);
}

TEST(Identity, has_another_way_without_a_build_id) {
  int modules = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* count) {
        std::vector<ElfW(Phdr)> parts(info->dlpi_phdr, info->dlpi_phdr + info->dlpi_phnum);
        for (auto& part : parts) {
          if (part.p_type == PT_NOTE) part.p_type = PT_NULL;
        }
        dl_phdr_info without = *info;
        without.dlpi_phdr = parts.data();
        EXPECT_EQ(identify(without), identify(without));
        EXPECT_FALSE(identify(without) == identify(*info)) << info->dlpi_name;
        ++*static_cast<int*>(count);
        return 0;
      },
      &modules);
  EXPECT_GT(modules, 0);
}

struct Wire {
  ModuleId id;
  std::uint64_t offset;
  std::uint8_t has_path;
  std::uint64_t type;
};

void expect_refused(const Wire& wire) {
  Frame frame;
  OutputArchive out(frame);
  out.write_raw(wire.id);
  out(wire.offset, wire.has_path, wire.type);
  InputArchive in(frame);
  EXPECT_THROW(load_descriptor(in), RuntimeError);
}

TEST(Identity, checks_everything_before_it_jumps) {
  using ThisCall = Call<Result::kSent, int (*)(int), int>;
  const Module& module = *module_of(&ThisCall::descriptor);
  const auto address = reinterpret_cast<std::uintptr_t>(&ThisCall::descriptor);
  const Wire right{module.id, address - module.base, 0, type_hash<ThisCall>()};
  {
    Frame frame;
    OutputArchive out(frame);
    out.write_raw(right.id);
    out(right.offset, right.has_path, right.type);
    InputArchive in(frame);
    EXPECT_EQ(&load_descriptor(in), &ThisCall::descriptor);
  }
  Wire wrong = right;
  wrong.id.low ^= 1;
  expect_refused(wrong);
  for (const std::uint64_t offset : {right.offset + 8, right.offset + 1, std::uint64_t{0}, ~std::uint64_t{0},
                                     std::uint64_t{1} << 40, ~std::uint64_t{0} - module.base}) {
    wrong = right;
    wrong.offset = offset;
    expect_refused(wrong);
  }
  for (const auto& segment : module.segments) {
    wrong = right;
    wrong.offset = segment.end - 8 - module.base;  // begins inside, ends outside
    expect_refused(wrong);
  }
  wrong = right;
  wrong.type ^= 1;
  expect_refused(wrong);
}

TEST(Identity, takes_no_data_for_a_function) {
  static int data = 1;
  const Module& module = *module_of(&data);
  Frame frame;
  OutputArchive out(frame);
  save_place(out, module, &data);
  out.write_raw(seal_of(module, reinterpret_cast<std::uintptr_t>(&data)));
  InputArchive in(frame);
  EXPECT_THROW(load_function<int(int)>(in), RuntimeError);
}

TEST(Identity, takes_no_place_that_was_damaged_for_a_function) {
  Frame frame;
  OutputArchive out(frame);
  save_function(
      out, +[](int x) { return x; });
  for (std::size_t at = 0; at < frame.bytes.size(); ++at) {
    std::vector<std::byte> bytes(frame.bytes.data(), frame.bytes.data() + frame.bytes.size());
    bytes[at] ^= std::byte{4};
    InputArchive in(bytes.data(), bytes.size());
    try {
      load_function<int(int)>(in);
      ADD_FAILURE() << "damaged at " << at;
    } catch (const Error&) {
    }
  }
}

TEST(Identity, is_asked_for_by_many_threads_at_once) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 200; ++round) EXPECT_EQ(call<int>([](int x) { return -x; }, round), -round);
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace nogil::multiprocessing::detail::call_test
