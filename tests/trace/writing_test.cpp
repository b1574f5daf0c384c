// How a trace is written: JSON, SVG and text.

#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "nogil/errors.hpp"
#include "nogil/trace.hpp"
#include "trace/support/pictures.hpp"

namespace nogil::testing::writing_test {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Item item(TraceKind kind, std::int64_t begin, std::int64_t end, const char* name, const char* category = "") {
  return {kind, begin, end, 0, name, category};
}

// Two threads and a semaphore, and a worker that dies.
Picture semaphore_picture() {
  Picture picture;
  picture.length = 4 * kSecond;
  picture.processes.push_back({100, "program", {}});
  picture.processes.push_back({200, "worker", {}});
  picture.processes[0].rows.push_back({1, 100, 101, "T0", {item(TraceKind::kUser, 0, 2 * kSecond, "inside")}});
  picture.processes[0].rows.push_back(
      {2,
       100,
       102,
       "T1",
       {item(TraceKind::kWait, 0, 2 * kSecond, "semaphore"), item(TraceKind::kUser, 2 * kSecond, 4 * kSecond, "inside"),
        item(TraceKind::kDeath, 3 * kSecond, 3 * kSecond, "a worker died")}});
  picture.processes[1].rows.push_back({3, 200, 200, "MainThread", {item(TraceKind::kTask, 0, kSecond, "task")}});
  return picture;
}

// ---- Text ------------------------------------------------------------------------------

TEST(TraceText, is_a_line_for_each_thread) {
  EXPECT_EQ(trace::detail::text_of(semaphore_picture(), 57),
            "program (100)\n"
            "  T0           |####################                    |\n"
            "  T1           |....................##########!#########|\n"
            "  worker (200) |==========                              |\n"
            "                0                                 4.00 s\n"
            "                # inside  . waits  = task  ! a worker died\n");
}

TEST(TraceText, counts_characters_not_bytes) {
  Picture picture = semaphore_picture();
  picture.processes.resize(1);
  picture.processes[0].rows[0].name = "Маша";
  std::istringstream lines(trace::detail::text_of(picture, 60));
  std::string heading, first, second;
  std::getline(lines, heading);
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_EQ(trace::detail::columns(first), 60u);
  EXPECT_EQ(trace::detail::columns(second), 60u);
}

TEST(TraceText, shows_what_is_shorter_than_a_column) {
  Picture picture = semaphore_picture();
  picture.processes[0].rows[0].items = {item(TraceKind::kUser, kSecond, kSecond + 10, "short")};
  EXPECT_NE(trace::detail::text_of(picture, 60).find(" short"), std::string::npos);
}

TEST(TraceText, has_no_heading_for_a_process_without_a_name) {
  Picture picture = semaphore_picture();
  picture.processes.resize(1);
  picture.processes[0].name.clear();
  EXPECT_TRUE(trace::detail::text_of(picture, 57).starts_with("  T0 |"));
}

TEST(TraceText, goes_to_any_stream) {
  const Recording recording;
  trace::instant("x");
  std::ostringstream out;
  trace::write_text(out);
  EXPECT_NE(out.str().find("# x"), std::string::npos);
}

TEST(TraceText, is_there_also_for_an_empty_trace) {
  Picture picture;
  EXPECT_FALSE(trace::detail::text_of(picture, 0).empty());
  EXPECT_FALSE(trace::detail::svg_of(picture, "").empty());
  EXPECT_FALSE(trace::detail::json_of(picture).empty());
}

// ---- Names -----------------------------------------------------------------------------

TEST(TraceNames, are_cleaned_of_what_is_no_text) {
  using trace::detail::clean;
  EXPECT_EQ(clean("plain"), "plain");
  EXPECT_EQ(clean("Маша 🥞"), "Маша 🥞");
  EXPECT_EQ(clean("a\nb\x1b[1m"), "a b [1m");
  EXPECT_EQ(clean("\xff\xfe"), "??");
  EXPECT_EQ(clean("cut \xd0"), "cut ?");
  EXPECT_EQ(clean("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(clean("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(clean("\xf4\x90\x80\x80"), "????") << "past the last character";
}

// ---- JSON ------------------------------------------------------------------------------

// Reads a value of JSON; what is left stays in `text`. False: it is none.
bool skip_json(std::string_view& text) {
  const auto skip_space = [&] {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text[0])) != 0) text.remove_prefix(1);
  };
  const auto take = [&](char c) {
    skip_space();
    if (text.empty() || text[0] != c) return false;
    text.remove_prefix(1);
    return true;
  };
  skip_space();
  if (text.empty()) return false;
  if (take('"')) {
    while (!text.empty() && text[0] != '"') {
      if (static_cast<unsigned char>(text[0]) < 0x20) return false;
      text.remove_prefix(text[0] == '\\' ? 2 : 1);
    }
    return take('"');
  }
  for (const char* const brackets : {"{}", "[]"}) {
    if (!take(brackets[0])) continue;
    if (take(brackets[1])) return true;
    do {
      if (brackets[0] == '{' && (!skip_json(text) || !take(':'))) return false;
      if (!skip_json(text)) return false;
    } while (take(','));
    return take(brackets[1]);
  }
  const std::size_t number = text.find_first_not_of("-+.0123456789eE");
  if (number == 0) return false;
  text.remove_prefix(number);
  return true;
}

bool is_json(std::string_view text) {
  return skip_json(text) && text.find_first_not_of(" \n") == std::string_view::npos;
}

TEST(TraceJson, is_json) {
  Picture picture = semaphore_picture();
  picture.processes[0].rows[0].items[0].name = "a \"quoted\" \\ name";
  picture.processes[0].rows[0].items[0].number = 7;
  picture.processes[0].rows[1].items[0].number = 0x1000;
  const std::string json = trace::detail::json_of(picture);
  EXPECT_TRUE(is_json(json)) << json;
  EXPECT_NE(json.find(R"("name":"a \"quoted\" \\ name")"), std::string::npos);
}

TEST(TraceJson, has_an_event_for_each_item) {
  const std::string json = trace::detail::json_of(semaphore_picture());
  EXPECT_NE(json.find(R"({"ph":"X","name":"semaphore","cat":"wait","pid":100,"tid":102,"ts":0.000,"dur":2000000.000)"),
            std::string::npos);
  EXPECT_NE(json.find(R"({"ph":"i","s":"t","name":"a worker died","cat":"death","pid":100,"tid":102,"ts":3000000.000)"),
            std::string::npos);
  EXPECT_NE(json.find(R"({"ph":"M","name":"process_name","pid":200,"tid":0,"args":{"name":"worker"}})"),
            std::string::npos);
  EXPECT_NE(json.find(R"({"ph":"M","name":"thread_name","pid":100,"tid":101,"args":{"name":"T0"}})"),
            std::string::npos);
}

TEST(TraceJson, keeps_threads_apart_whose_number_the_system_used_again) {
  Picture picture = semaphore_picture();
  picture.processes[0].rows[1].tid = 101;
  EXPECT_NE(trace::detail::json_of(picture).find(R"("tid":1000000002,"args":{"name":"T1"}})"), std::string::npos);
}

// ---- SVG -------------------------------------------------------------------------------

// Whether every element is closed, in order.
bool is_balanced(std::string_view svg) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = svg.find('<', at)) != std::string_view::npos;) {
    const std::size_t end = svg.find('>', at);
    if (end == std::string_view::npos) return false;
    const std::string_view tag = svg.substr(at + 1, end - at - 1);
    const std::string name(tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/')));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty();
}

TEST(TraceSvg, holds_a_bar_for_each_item_and_closes_what_it_opens) {
  Picture picture = semaphore_picture();
  picture.processes[0].rows[0].items[0].name = "a < b & \"c\"";
  const std::string svg = trace::detail::svg_of(picture, "<title>");
  EXPECT_TRUE(is_balanced(svg)) << svg;
  EXPECT_NE(svg.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(svg.find("&lt;title&gt;"), std::string::npos);
  EXPECT_NE(svg.find("semaphore: from 0.000000 s, 2.00 s"), std::string::npos);
}

TEST(TraceSvg, stays_small_however_much_is_in_it) {
  Picture picture = semaphore_picture();
  for (std::int64_t i = 0; i < 100'000; ++i) {
    picture.processes[0].rows[0].items.push_back(
        item(TraceKind::kWait, kSecond + i * 10'000, kSecond + i * 10'000 + 1, "lock"));
  }
  EXPECT_LT(trace::detail::svg_of(picture, "").size(), 200'000u);
}

TEST(TraceSvg, leaves_rows_out_that_are_too_many_and_says_so) {
  Picture picture = semaphore_picture();
  for (std::uint64_t lane = 10; lane < 110; ++lane) {
    picture.processes[0].rows.push_back({lane, 100, 1000, "T", {item(TraceKind::kTask, 0, kSecond, "task")}});
  }
  const std::string note = "43 more rows: write_json() has them all";  // of 103
  EXPECT_NE(trace::detail::svg_of(picture, "").find(note), std::string::npos);
  EXPECT_NE(trace::detail::text_of(picture, 80).find(note), std::string::npos);
}

// ---- Files -----------------------------------------------------------------------------

TEST(TraceFiles, are_written_whole) {
  const Recording recording;
  trace::instant("x");
  const std::string path = ::testing::TempDir() + "nogil-trace-test";
  trace::write_json(path);
  std::ifstream json(path);
  EXPECT_TRUE(is_json(std::string(std::istreambuf_iterator<char>(json), {})));
  trace::write_svg(path, "title");
  std::ifstream svg(path);
  EXPECT_TRUE(is_balanced(std::string(std::istreambuf_iterator<char>(svg), {})));
  std::remove(path.c_str());
}

TEST(TraceFiles, cannot_be_written_where_there_is_no_folder) {
  const Recording recording;
  EXPECT_THROW(trace::write_json("/no/such/folder/trace.json"), std::system_error);
  EXPECT_THROW(trace::write_svg("/no/such/folder/trace.svg"), std::system_error);
}

}  // namespace
}  // namespace nogil::testing::writing_test
