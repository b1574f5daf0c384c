// TCP echo: 64 bytes there and back, over loopback. A client in a thread of its own keeps
// one request on the way in each of so many connections.
//
// echo              wall time of a request, of all connections together
// echo_server_cpu   CPU time of the server's thread for a request. Where the client is the
//                   one that is short of time, this is what tells servers apart.
//
// cpu/wall is that of the server's thread.

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <thread>
#include <vector>

#include "asyncio/echo_rivals.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

constexpr std::size_t kSize = 64;

// So many connections, and the requests in them.
class Client {
 public:
  Client(std::uint16_t port, int connections) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    for (int i = 0; i < connections; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      right_ = right_ && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      fds_.push_back(fd);
    }
  }
  ~Client() {
    for (const int fd : fds_) ::close(fd);
    ::close(epoll_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Every request was answered, with what it said.
  bool right() const { return right_; }

  // Requests for so long. Returns how many were answered.
  std::uint64_t run(bench::Seconds length) {
    for (const int fd : fds_) send(fd);
    std::uint64_t answered = 0;
    for (const auto end = bench::Clock::now() + length; bench::Clock::now() < end;) answered += answers(true);
    for (std::size_t left = fds_.size(); left > 0 && right_;) {
      const std::uint64_t last = answers(false);
      answered += last;
      left -= last;
    }
    return answered;
  }

 private:
  void send(int fd) {
    char bytes[kSize];
    for (char& byte : bytes) byte = static_cast<char>(fd);
    right_ = ::send(fd, bytes, kSize, MSG_NOSIGNAL) == kSize && right_;
  }

  std::uint64_t answers(bool again) {
    epoll_event events[256];
    const int count = ::epoll_wait(epoll_, events, 256, 1000);
    right_ = right_ && count > 0;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      char bytes[kSize];
      right_ = ::recv(fd, bytes, kSize, 0) == kSize && bytes[kSize - 1] == static_cast<char>(fd) && right_;
      if (again) send(fd);
    }
    return count > 0 ? static_cast<std::uint64_t>(count) : 0;
  }

  const int epoll_;
  std::vector<int> fds_;
  bool right_ = true;
};

// A server in a thread of its own, and the CPU time of that.
template <class R>
class Served {
 public:
  Served() : thread_([this] { serve(); }) {
    while (server_.load(std::memory_order_acquire) == nullptr) std::this_thread::yield();
    ::pthread_getcpuclockid(thread_.native_handle(), &clock_);
  }
  ~Served() {
    server_.load()->stop();
    thread_.join();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::uint16_t port() const { return server_.load()->port(); }

  bench::Seconds cpu_time() const {
    std::timespec time{};
    ::clock_gettime(clock_, &time);
    return bench::Seconds(static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9);
  }

 private:
  void serve() {
    const bench::Pin pin(0);
    R server;
    server_.store(&server, std::memory_order_release);
    server.run();
  }

  std::atomic<R*> server_{nullptr};
  clockid_t clock_{};
  std::thread thread_;
};

template <class R>
void echo_for(benchmark::State& state, bool cpu) {
  const int connections = static_cast<int>(state.range(0));
  rlimit files;
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const double before = bench::two_thread_control();
  for (auto _ : state) {
    const Served<R> server;
    const bench::Pin pin(1);
    Client client(server.port(), connections);
    client.run(bench::options().window / 10);  // connections are accepted, memory is there
    const bench::Seconds used = server.cpu_time();
    const auto began = bench::Clock::now();
    const auto requests = static_cast<double>(client.run(bench::options().window));
    const bench::Seconds wall = bench::Clock::now() - began;
    const bench::Seconds served = server.cpu_time() - used;
    bench::check(state, client.right() && requests > 0, "an answer was wrong, or did not come");
    state.SetIterationTime((cpu ? served : wall).count() / requests);
    state.counters["cpu_wall"] = served.count() / wall.count();
  }
  bench::report_control(state, before);
}

template <class R>
void echo(benchmark::State& state) {
  echo_for<R>(state, false);
}

template <class R>
void echo_server_cpu(benchmark::State& state) {
  echo_for<R>(state, true);
}

using Servers = bench::Rivals<echo::Nogil, echo::Asio, echo::Libuv>;

[[maybe_unused]] const bool registered = [] {
  bench::compare(
      Servers(), BENCH_CASE(echo),
      {.threads = {1, 100, 1000}, .timing = bench::Timing::kWindow, .goals = {bench::at_most(1.05, bench::kBestPeer)}});
  bench::compare(
      Servers(), BENCH_CASE(echo_server_cpu),
      {.threads = {1, 100, 1000}, .timing = bench::Timing::kWindow, .goals = {bench::at_most(1, bench::kBestPeer)}});
  return true;
}();

}  // namespace
