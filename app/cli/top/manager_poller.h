// SPDX-License-Identifier: MIT
// Polls the manager and the event database on a thread of its own, so that the screen never waits
// for either: what is open on the screen, every two seconds, and nothing else.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/handle.h"
#include "client/manager_client.h"
#include "top/snapshot.h"

namespace snakepit::shm::cli {

// One thread uses it, besides its own.
class ManagerPoller {
  public:
    static Result<std::unique_ptr<ManagerPoller>> start(const InstancePaths& paths);
    ~ManagerPoller();  // waits for a request that is under way, a second at most
    ManagerPoller(const ManagerPoller&) = delete;
    ManagerPoller& operator=(const ManagerPoller&) = delete;

    void request(const PollRequest& wanted);
    void acknowledge(std::uint64_t alert);
    // What is new since the last call; nothing when nothing is.
    std::optional<PollResults> results();
    // Readable when results() has something.
    int news() const { return read_end_.get(); }

  private:
    explicit ManagerPoller(const InstancePaths& paths) : paths_(paths) {}
    void run();
    void poll_all(const PollRequest& wanted);
    void poll_alerts();
    void poll_locks(const std::string& filter);
    void poll_region(const RegionId& id);
    void send_acknowledgement(std::uint64_t alert);
    // Connects when need be.
    Result<ManagerClient*> manager();
    void drop_lost_connection();
    void notify();

    InstancePaths paths_;
    Handle read_end_, write_end_;  // ends of a pipe

    std::mutex mutex_;
    std::condition_variable changed_;
    PollRequest wanted_;  // guarded by mutex_, as the rest of the block
    std::vector<std::uint64_t> to_acknowledge_;
    PollResults published_;
    bool fresh_ = false, ending_ = false, hurry_ = false;

    std::unique_ptr<ManagerClient> client_;  // the thread's own, as the results
    PollResults results_;
    std::thread thread_;
};

}  // namespace snakepit::shm::cli
