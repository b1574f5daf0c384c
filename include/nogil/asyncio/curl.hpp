// nogil/asyncio/curl.hpp -- ClientSession: http and https, by libcurl.
//
//   asyncio::ClientSession session;                       // Python: async with aiohttp.ClientSession() as session:
//   auto page = co_await session.get("https://ya.ru/");   //             async with session.get("https://ya.ru/") as
//   page: if (page.status == 200) use(page.text());             //                 if page.status == 200: use(await
//   page.text())
//
// Not part of asyncio.hpp: needs libcurl's headers, and to be linked with it (find_package(CURL),
// CURL::libcurl; or -lcurl).
//
// A session keeps its connections, so that the next request to the same server finds one.
// Redirects are followed, compressed bodies are unpacked, proxies are taken from the
// environment, certificates are checked.
//
// Waits      Until the whole answer has come. Others run meanwhile, also while a name is
//            looked up. No time limit: wait_for() or timeout().
// Cancel     At any moment: the transfer ends at once, with its connection.
// Errors     ClientError: no such host, refused, broke off, not an URL. That the server says
//            404 is no error, but a status. RuntimeError: another loop, or none.
// Lifetime   The session may go while a request runs.
// Source     libcurl's multi-socket interface: it says which sockets and which timer it
//            waits for, and is told of these.
// Python     aiohttp.ClientSession, the few of its parts that most programs need.

#pragma once

#include <curl/curl.h>

#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nogil/asyncio/coro.hpp"
#include "nogil/asyncio/detail/loop_bound.hpp"
#include "nogil/asyncio/detail/task_base.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

// A request that got no answer.
class ClientError : public Error {
 public:
  ClientError(const std::string& what, CURLcode code) : Error(what), code_(code) {}

  [[nodiscard]] CURLcode code() const noexcept { return code_; }

 private:
  CURLcode code_;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 0;
  Headers headers;  // in the order in which they came
  std::string body;
  std::string url;  // where it came from, after redirects

  [[nodiscard]] const std::string& text() const noexcept { return body; }

  // The first of that name, whatever its case; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
      if (key.size() == name.size() && ::curl_strnequal(key.data(), name.data(), name.size()) != 0) return value;
    }
    return {};
  }
};

namespace detail {

class CurlTransfer;

// A session's connections, and the loop that waits for them.
class CurlSession final : public Pooled, private LoopBound, private Timer {
 public:
  explicit CurlSession(LoopCore& loop) : LoopBound(loop), Timer(&timed_out), core_(&loop) {
    static const CURLcode initialized = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialized == CURLE_OK) multi_ = ::curl_multi_init();
    if (multi_ == nullptr) throw std::bad_alloc();
    ::curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
    ::curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    ::curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
    ::curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }

  ~CurlSession() override { clean_up(); }

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }

  LoopCore* core() const noexcept { return core_; }

  bool add(CURL* easy) noexcept { return ::curl_multi_add_handle(multi_, easy) == CURLM_OK; }
  void remove(CURL* easy) noexcept {
    if (multi_ != nullptr) ::curl_multi_remove_handle(multi_, easy);
  }

 private:
  // A socket that libcurl waits for. The reactor tells it in a batch, and libcurl hears of
  // it afterwards, since it may close sockets then.
  class Socket final : public Watch, public Ready {
   public:
    Socket(CurlSession& session, curl_socket_t fd) noexcept : Watch(&told), Ready(&act), session_(session), fd_(fd) {}

    void watch(Events wanted) {
      if (std::exchange(watched_, true)) session_.core_->rewatch(fd_, wanted, *this);
      else session_.core_->watch(fd_, wanted, *this);
    }
    void unwatch() noexcept {
      if (watched_) session_.core_->unwatch(fd_);
      session_.core_->withdraw(static_cast<Ready&>(*this));
    }

   private:
    static void told(Watch& watch, Events ready) noexcept {
      auto& self = static_cast<Socket&>(watch);
      self.ready_ |= ready;
      if (self.place == Place::kNowhere) self.session_.core_->push(self);
    }
    static void act(Ready& node) noexcept {
      auto& self = static_cast<Socket&>(node);
      const Events ready = std::exchange(self.ready_, 0);
      const int what = ((ready & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                       ((ready & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                       ((ready & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
      self.session_.act(self.fd_, what);  // *this may be gone
    }

    CurlSession& session_;
    const curl_socket_t fd_;
    Events ready_ = 0;
    bool watched_ = false;
  };

  void act(curl_socket_t fd, int what) noexcept;

  void clean_up() noexcept {
    if (CURLM* const multi = std::exchange(multi_, nullptr)) ::curl_multi_cleanup(multi);
    if (core_ != nullptr) core_->withdraw(static_cast<Timer&>(*this));
  }
  void loop_ends(LoopCore&) noexcept override {
    clean_up();
    core_ = nullptr;
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* of_session, void* of_socket) noexcept {
    auto& self = *static_cast<CurlSession*>(of_session);
    auto* socket = static_cast<Socket*>(of_socket);
    if (what == CURL_POLL_REMOVE) {
      if (socket != nullptr) socket->unwatch();
      delete socket;
      return 0;
    }
    try {
      if (socket == nullptr) {
        socket = new Socket(self, fd);
        ::curl_multi_assign(self.multi_, fd, socket);
      }
      const bool reads = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
      const bool writes = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
      socket->watch((reads ? Events{EPOLLIN} : 0u) | (writes ? Events{EPOLLOUT} : 0u));
      return 0;
    } catch (...) {
      return -1;  // which ends the transfer
    }
  }

  // Must not call libcurl.
  static int on_timer(CURLM*, long milliseconds, void* of_session) noexcept {
    auto& self = *static_cast<CurlSession*>(of_session);
    self.core_->withdraw(static_cast<Timer&>(self));
    if (milliseconds < 0) return 0;
    try {
      self.core_->start_timer(self, after(self.core_->now(), std::int64_t{milliseconds} * 1'000'000));
      return 0;
    } catch (...) {
      return -1;
    }
  }
  static void timed_out(Ready& node) noexcept {
    static_cast<CurlSession&>(static_cast<Timer&>(node)).act(CURL_SOCKET_TIMEOUT, 0);
  }

  LoopCore* core_;  // null: the loop has ended
  CURLM* multi_ = nullptr;
  std::uint32_t owners_ = 1;
};

// A request: set up, and awaited once.
class CurlTransfer : public Waiter {
 public:
  explicit CurlTransfer(Owned<CurlSession> session)
      : Waiter(kKind), session_(std::move(session)), easy_(::curl_easy_init()) {
    if (easy_ == nullptr) throw std::bad_alloc();
    set(CURLOPT_PRIVATE, static_cast<void*>(this));
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 10L);
    set(CURLOPT_ACCEPT_ENCODING, "");  // all that it knows
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  }
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;
  ~CurlTransfer() {
    if (pending()) session_->remove(easy_);
    ::curl_easy_cleanup(easy_);
    ::curl_slist_free_all(headers_);
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = ::curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK) throw ClientError(::curl_easy_strerror(code), code);
  }
  void add_header(const std::string& line) {
    curl_slist* const longer = ::curl_slist_append(headers_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers_ = longer;
    set(CURLOPT_HTTPHEADER, headers_);
  }

  bool await_ready() const noexcept {
    return false;
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    if (session_->core() != t_here.loop) throw RuntimeError("ClientSession: it belongs to another event loop");
    if (!session_->add(easy_)) throw ClientError("curl_multi_add_handle failed", CURLE_FAILED_INIT);
    suspend(awaiting);
  }
  Response await_resume() {
    throw_if_cancelled();
    const char* url = nullptr;
    ::curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &url);
    if (url != nullptr) response_.url = url;
    if (code_ != CURLE_OK) {
      throw ClientError(response_.url + ": " + (error_[0] != '\0' ? error_ : ::curl_easy_strerror(code_)), code_);
    }
    long status = 0;
    ::curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return std::move(response_);
  }

 private:
  friend class CurlSession;

  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<CurlTransfer&>(waiter);
    self.session_->remove(self.easy_);
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "ClientSession.get"};

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* of_transfer) noexcept {
    try {
      static_cast<CurlTransfer*>(of_transfer)->response_.body.append(bytes, size * count);
      return size * count;
    } catch (...) {
      return 0;  // an error
    }
  }

  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* of_transfer) noexcept {
    try {
      static_cast<CurlTransfer*>(of_transfer)->take_header({bytes, size * count});
      return size * count;
    } catch (...) {
      return 0;
    }
  }
  void take_header(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {  // the answer after a redirect begins anew
      response_.headers.clear();
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    response_.headers.emplace_back(line.substr(0, colon), value);
  }

  Owned<CurlSession> session_;
  CURL* const easy_;
  curl_slist* headers_ = nullptr;
  Response response_;
  CURLcode code_ = CURLE_OK;
  char error_[CURL_ERROR_SIZE] = {};
};

inline void CurlSession::act(curl_socket_t fd, int what) noexcept {
  const Owned<CurlSession> alive = Owned<CurlSession>::share(*this);
  int running = 0;
  ::curl_multi_socket_action(multi_, fd, what, &running);
  int left = 0;
  while (const CURLMsg* const message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    void* found = nullptr;
    ::curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found);
    ::curl_multi_remove_handle(multi_, easy);  // *message is gone
    auto& transfer = *static_cast<CurlTransfer*>(found);
    transfer.code_ = code;
    transfer.wake();
  }
}

// `body`: null for a GET.
inline Coro<Response> request(Owned<CurlSession> session, std::string url, Headers headers, std::string body,
                              bool post) {
  CurlTransfer transfer(std::move(session));
  transfer.set(CURLOPT_URL, url.c_str());
  for (const auto& [name, value] : headers) transfer.add_header(name + ": " + value);
  if (post) {
    transfer.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    transfer.set(CURLOPT_POSTFIELDS, body.data());
  }
  co_return co_await transfer;
}

}  // namespace detail

class ClientSession {
 public:
  // For the loop that runs. Throws RuntimeError if none does.
  ClientSession() : session_(new detail::CurlSession(detail::running_loop())) {}
  ClientSession(ClientSession&&) = default;
  ClientSession& operator=(ClientSession&&) = default;

  // Begins when it is awaited.
  Coro<Response> get(std::string url, Headers headers = {}) const {
    return detail::request(shared(), std::move(url), std::move(headers), {}, false);
  }
  Coro<Response> post(std::string url, std::string body, Headers headers = {}) const {
    return detail::request(shared(), std::move(url), std::move(headers), std::move(body), true);
  }

 private:
  detail::Owned<detail::CurlSession> shared() const {
    if (!session_) throw RuntimeError("ClientSession: it was moved from");
    return session_;
  }

  detail::Owned<detail::CurlSession> session_;
};

}  // namespace nogil::asyncio
