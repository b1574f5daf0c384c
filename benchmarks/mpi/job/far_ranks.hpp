// benchmarks/mpi/job/far_ranks.hpp -- what a task costs rank 0 when there are very many ranks.
//
// They are not there: packets for them are answered where they would be sent, and each task as
// if it had taken a microsecond. What is left is rank 0's own work for a task, from submit() to
// its result, without what MPI and the network add to it for each message and each byte.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "job/job.hpp"
#include "job/pool.hpp"
#include "nogil/mpi.hpp"

namespace far_ranks {

using nogil::mpi::detail::Packet;
using nogil::mpi::detail::Record;
using nogil::mpi::detail::RecordKind;
using nogil::mpi::detail::Ref;

class Wire final : public nogil::mpi::detail::Wire {
 public:
  void send(Ref<Packet> packet) noexcept override {
    Ref<Packet> answer(new Packet(packet->peer));
    packet->for_each([&](const Record& record, const std::byte* body) {
      if (record.kind == RecordKind::kTask) {
        nogil::mpi::detail::Frame result;
        nogil::mp::InputArchive in(body, static_cast<std::size_t>(record.size));
        nogil::mp::OutputArchive out(result);
        nogil::mp::detail::run_call(in, out);
        answer->append({RecordKind::kResult, record.pool, record.id, 1000}, std::move(result.bytes));
      } else if (record.kind == RecordKind::kClose) {
        answer->append({RecordKind::kClosed, record.pool, 0, 0}, {});
      } else if (record.kind == RecordKind::kRecall) {
        answer->append({RecordKind::kRecalled, record.pool, 0, 0}, {});
      }
    });
    if (answer->records == 0) return;
    answer->seal();
    inbox_.push(std::move(answer));
  }

  Ref<Packet> poll() noexcept override { return inbox_.pop(); }

  bool idle() const noexcept override { return true; }

 private:
  nogil::mpi::detail::Inbox inbox_;
};

// 10,000 tiny tasks with order.size ranks.
inline job::Figures run(const job::Order& order) {
  Wire wire;
  job::Figures figures;
  nogil::mpi::detail::lead(wire, order.size + 1, nogil::mpi::detail::Turns::kAny, [&] {
    nogil::mpi::MPIPoolExecutor executor;
    figures = pool::tiny_tasks(executor, order);
    return 0;
  });
  job::expect(figures.ns > 0, "it failed");
  return figures;
}

}  // namespace far_ranks
