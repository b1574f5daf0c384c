// nogil/multiprocessing/detail/packet.hpp -- small messages with file descriptors, on a socket.
//
// Between a parent and the processes that it started by exec(): a pair of SOCK_SEQPACKET
// sockets, which keep messages whole.

#pragma once

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/platform/fd.hpp"

namespace nogil::multiprocessing::detail {

// As many as the kernel takes in one message, less some. Of a message that has more the rest
// waits in a socket of its own, which goes along as one file above this.
inline constexpr std::size_t kMostFiles = 250;

struct SocketPair {
  platform::Fd mine;
  platform::Fd theirs;

  SocketPair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) platform::throw_errno("make a socket pair");
    mine = platform::Fd(ends[0]);
    theirs = platform::Fd(ends[1]);
  }
};

// Room for the files of one message.
struct alignas(::cmsghdr) FileRoom {
  char bytes[CMSG_SPACE((kMostFiles + 1) * sizeof(int))];
};

// Sends one message with no more files than there is room for.
inline ::ssize_t send_message(int socket, ::iovec* parts, std::size_t count, const std::vector<int>& files, int flags) {
  FileRoom room;
  ::msghdr header{};
  header.msg_iov = parts;
  header.msg_iovlen = count;
  if (!files.empty()) {
    header.msg_control = room.bytes;
    header.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
    std::memset(room.bytes, 0, header.msg_controllen);
    ::cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), files.data(), files.size() * sizeof(int));
  }
  ::ssize_t sent;
  do {
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | flags);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

// The end of a socket on which all files behind the first kMostFiles wait to be received; none,
// with errno, if the system does not take them.
inline platform::Fd send_rest(const std::vector<int>& files) {
  SocketPair sockets;
  for (auto at = files.begin() + kMostFiles; at != files.end();) {
    const auto left = files.end() - at;
    const auto end = at + (left < std::ptrdiff_t{kMostFiles} ? left : std::ptrdiff_t{kMostFiles});
    char byte = 0;
    ::iovec part{&byte, 1};
    if (send_message(sockets.mine.get(), &part, 1, {at, end}, MSG_DONTWAIT) != 1) return {};
    at = end;
  }
  return std::move(sockets.theirs);
}

// Sends the parts as one message, with duplicates of the files; as sendmsg() does.
inline ::ssize_t send_parts(int socket, ::iovec* parts, std::size_t count, const std::vector<int>& files, int flags) {
  if (files.size() <= kMostFiles) return send_message(socket, parts, count, files, flags);
  const platform::Fd rest = send_rest(files);
  if (!rest) return -1;
  std::vector<int> those(files.begin(), files.begin() + kMostFiles);
  those.push_back(rest.get());
  return send_message(socket, parts, count, those, flags);
}

// Receives what send_message() has sent.
inline ::ssize_t receive_message(int socket, ::iovec* parts, std::size_t count, std::vector<platform::Fd>* files,
                                 int flags, bool& whole) {
  FileRoom room;
  ::msghdr header{};
  header.msg_iov = parts;
  header.msg_iovlen = count;
  if (files != nullptr) {
    header.msg_control = room.bytes;
    header.msg_controllen = sizeof room.bytes;
  }
  ::ssize_t received;
  do {
    received = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
    // The kernel says ECONNRESET once, before what the other side sent and after it ended with
    // messages of ours unread: they are there to be received all the same.
  } while (received < 0 && (errno == EINTR || errno == ECONNRESET));
  if (received < 0) return received;
  for (::cmsghdr* at = files != nullptr ? CMSG_FIRSTHDR(&header) : nullptr; at != nullptr;
       at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t offset = CMSG_LEN(0); offset + sizeof(int) <= at->cmsg_len; offset += sizeof(int)) {
      int fd;
      std::memcpy(&fd, reinterpret_cast<const char*>(at) + offset, sizeof fd);
      files->emplace_back(fd);
    }
  }
  whole = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return received;
}

// Receives one message into the parts, in order, as recvmsg() does, and appends its files. It
// is `whole` if nothing was cut off.
inline ::ssize_t receive_parts(int socket, ::iovec* parts, std::size_t count, std::vector<platform::Fd>* files,
                               int flags, bool& whole) {
  const std::size_t before = files != nullptr ? files->size() : 0;
  const ::ssize_t received = receive_message(socket, parts, count, files, flags, whole);
  if (received < 0 || files == nullptr || files->size() - before <= kMostFiles) return received;
  const platform::Fd rest = std::move(files->back());
  files->pop_back();
  for (bool more = true; more && whole;) {
    char byte;
    ::iovec part{&byte, 1};
    more = receive_message(rest.get(), &part, 1, files, MSG_DONTWAIT, whole) > 0;
  }
  return received;
}

// Sends the bytes of `message` and duplicates of the files. False: the other side is gone,
// or takes nothing (with MSG_DONTWAIT).
template <class Message>
bool send_packet(int socket, const Message& message, const std::vector<int>& files = {}, int flags = 0) {
  ::iovec part{const_cast<Message*>(&message), sizeof message};
  return send_parts(socket, &part, 1, files, flags) == static_cast<::ssize_t>(sizeof message);
}

// Waits for a message of exactly that size. False: the other side is gone, there is none
// (with MSG_DONTWAIT), or it has another size: errno is EPIPE, EAGAIN or EBADMSG. Files are
// appended.
template <class Message>
bool receive_packet(int socket, Message& message, std::vector<platform::Fd>* files = nullptr, int flags = 0) {
  ::iovec part{&message, sizeof message};
  bool whole = false;
  const ::ssize_t received = receive_parts(socket, &part, 1, files, flags, whole);
  if (received == static_cast<::ssize_t>(sizeof message) && whole) return true;
  if (received >= 0) errno = received == 0 ? EPIPE : EBADMSG;
  return false;
}

}  // namespace nogil::multiprocessing::detail
