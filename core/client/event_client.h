// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "client/connection.h"
#include "client/lock_client.h"
#include "client/manager_client.h"
#include "platform/doorbell.h"

namespace snakepit::shm {

// Events: lock requests and waits for signals that are awaited with a descriptor, without a thread.
//
// The descriptor is a set of two things. A line, whose other end the manager has: it rings when it
// noted something for us, and the line ends with the manager. And a timer, for what is known here
// already, and for trying again while no manager responds. Rings are taken before the manager is
// asked what it noted, so what it notes afterwards rings again.
//
// Nothing depends on an answer that may be lost: whenever a line is new, the client reconnected, or
// a request for notes failed, every pending request is repeated under its own number, and the
// manager answers again what it decided before. Thread-safe.
class EventClient final : public ForkAware {
  public:
    // `counter`: of a region's signal word, without asking the manager.
    using Counter = std::function<std::optional<std::uint64_t>(const RegionId&)>;
    EventClient(Connection& connection, LockClient& locks, Counter counter)
        : connection_(connection), locks_(locks), counter_(std::move(counter)) {}
    ~EventClient() override;

    Result<int> descriptor();
    // Empty: there is no event now. Asks the manager, for at most about 100 milliseconds.
    Result<std::optional<ClientEvent>> next();
    // Waits until the region's counter is not `since`. The ticket.
    Result<std::uint64_t> begin(const RegionId& id, std::uint64_t since);
    // A wait or a lock request. No event of it is returned afterwards; not_held: it was returned,
    // or a thread waits for the lock.
    Status cancel(std::uint64_t ticket);
    // A lock request was begun.
    void begun(std::uint64_t ticket);

    // Any thread, also with the connection locked.
    void reconnected();
    void closed();
    void after_fork_in_child() override;

  private:
    struct Wait {
        RegionId id;
        std::uint64_t since = 0;
    };
    // The rest with the refilling mutex, and without the other during a request.
    Status refill();
    Status refill_from_manager();
    Status open_line();
    Status ask_again();
    Status ask_lock(std::uint64_t ticket);
    Status ask_wait(std::uint64_t ticket, const Wait& wait);
    void look_without_manager();
    void note_absence();
    template <typename Call>
    Result<Connection::Answer> ask(Call call, bool* refused = nullptr);
    void finish_wait(std::uint64_t ticket, std::uint64_t now, ErrorCode code);
    void add(const ClientEvent& event);
    void arm();  // with the mutex

    Connection& connection_;
    LockClient& locks_;
    Counter counter_;
    std::atomic<std::uint64_t> tickets_{std::uint64_t{1} << 32};  // apart from those of locks
    std::mutex refilling_;
    Handle line_;                    // changed with both mutexes
    std::int64_t absent_since_ = 0;  // no manager since; monotonic nanoseconds, 0: there is one

    std::mutex mutex_;  // guards the following; never held during a request
    EventSet set_;
    bool used_ = false;   // somebody waits for events
    bool again_ = false;  // every pending request has to be repeated
    bool more_ = false;   // the manager has more notes
    bool absent_ = false;
    std::vector<std::uint64_t> begun_;               // lock requests that may be decided already
    std::unordered_map<std::uint64_t, Wait> waits_;  // by ticket
    std::deque<ClientEvent> ready_;
};

}  // namespace snakepit::shm
