// email-worker -- who waits for the outside world is woken by the system.
//
// The lecture's picture: you write an email, hand it to the post, and do other work until
// the answer comes. A coroutine that reads a socket does the same: the loop tells the
// system what it waits for, runs the others, and sleeps when nobody has anything to do.
//
// The post office is a server on this machine that answers after its own time.
//
// Python:
//
//     async def email(number):
//         reader, writer = await asyncio.open_connection("127.0.0.1", port)
//         writer.write(f"letter {number}\n".encode())
//         print(f"letter {number}: handed to the system")
//         answer = await reader.readline()
//         print(f"letter {number}: {answer}")
//
//     async def paperwork():
//         for page in range(5):
//             print(f"page {page} of other work")
//             await asyncio.sleep(0.2)
//
//     await asyncio.gather(email(1), email(2), paperwork())

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

asyncio::Coro<> post_office(tour::Run& run, asyncio::StreamReader reader, asyncio::StreamWriter writer) {
  const std::string letter = co_await reader.readline();
  co_await asyncio::sleep(run.scaled(letter == "letter 1\n" ? 700ms : 400ms));
  writer.write("answer to " + letter);
  co_await writer.drain();
}

asyncio::Coro<> email(tour::Run& run, std::uint16_t port, int number, std::vector<std::string>& answers) {
  tour::Lane& lane = run.timeline.lane(tour::text("letter ", number));
  auto connection = co_await asyncio::open_connection("127.0.0.1", port);
  auto& [reader, writer] = connection;
  writer.write(tour::text("letter ", number, '\n'));
  tour::print("letter ", number, ": handed to the system");
  lane.begin(tour::Paint::wait);
  std::string answer = co_await reader.readline();
  lane.end();
  answer.pop_back();
  tour::print("letter ", number, ": ", answer);
  answers.push_back(std::move(answer));
}

asyncio::Coro<> paperwork(tour::Run& run) {
  tour::Lane& lane = run.timeline.lane("paper");
  for (int page = 0; page < 5; ++page) {
    tour::print("page ", page, " of other work");
    lane.begin(page % 2 == 0 ? tour::Paint::work : tour::Paint::hold);
    co_await asyncio::sleep(run.scaled(200ms));
  }
  lane.end();
}

asyncio::Coro<> amain(tour::Run& run) {
  const auto handler = [&run](asyncio::StreamReader reader, asyncio::StreamWriter writer) {
    return post_office(run, std::move(reader), std::move(writer));
  };
  const asyncio::Server server = co_await asyncio::start_server(handler, "127.0.0.1", 0);
  std::vector<std::string> answers;
  const tour::Stopwatch watch;
  co_await asyncio::gather(email(run, server.port(), 1, answers), email(run, server.port(), 2, answers),
                           paperwork(run));
  const tour::Seconds wall = watch.wall();
  tour::print(watch.both());
  run.timeline.print_text();
  run.expect("answers", answers.size(), std::size_t{2});
  run.check(answers[0] + answers[1] == "answer to letter 1answer to letter 2" ||
                answers[1] + answers[0] == "answer to letter 1answer to letter 2",
            "each letter has its answer");
  run.expect_at_least("the longest of them", wall, run.scaled(1s));
}

void email_worker(tour::Run& run) {
  run.timeline.legend(tour::Paint::wait, "waits for the answer");
  run.timeline.legend(tour::Paint::work, "a page of other work");
  run.timeline.legend(tour::Paint::hold, "the next page");
  asyncio::run(amain(run));
}

const tour::Demo registered({.id = "email-worker",
                             .cell = "1.9",
                             .seconds = 1,
                             .teaches = "the system wakes who waits for it; others work meanwhile"},
                            email_worker);

}  // namespace
