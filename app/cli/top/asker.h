// SPDX-License-Identifier: MIT
// Asks the manager, and the event database, on a thread of its own: the screen never waits for
// either. What is open on the screen is asked again every two seconds, and nothing else.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/handle.h"
#include "client/manager_client.h"
#include "top/heard.h"

namespace snakepit::shm::cli {

// One thread uses it, besides its own.
class Asker {
  public:
    static Result<std::unique_ptr<Asker>> start(const InstancePaths& paths);
    ~Asker();  // waits for an answer that is under way, a second at most
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    void ask(const Questions& questions);
    void acknowledge(std::uint64_t alert);
    // What is new since the last call; nothing when nothing is.
    std::optional<Answers> answers();
    // Readable when answers() has something.
    int news() const { return news_.get(); }

  private:
    explicit Asker(const InstancePaths& paths) : paths_(paths) {}
    void run();
    void ask_all(const Questions& questions);
    void ask_alerts();
    void ask_locks(const std::string& filter);
    void ask_region(const RegionId& id);
    void ask_acknowledgement(std::uint64_t alert);
    // Connects when need be.
    Result<ManagerClient*> manager();
    void forget_a_lost_manager();
    void tell();

    InstancePaths paths_;
    Handle news_, tell_;  // ends of a pipe

    std::mutex mutex_;
    std::condition_variable changed_;
    Questions wanted_;  // guarded by mutex_, as the rest of the block
    std::vector<std::uint64_t> to_acknowledge_;
    Answers told_;
    bool fresh_ = false, ending_ = false, hurry_ = false;

    std::unique_ptr<ManagerClient> client_;  // the thread's own, as what it has heard
    Answers heard_;
    std::thread thread_;
};

}  // namespace snakepit::shm::cli
