// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/handle.h"
#include "client/manager_client.h"
#include "harness.h"
#include "peer_process.h"

namespace snakepit::shm::bench {

// `snakepit-shm serve` in its own process, as in production, with its own instance and directories:
// registry and segments in memory, the database on disk. Cleans up after itself. Sets the
// environment, so that connect() and children find it.
class ServiceProcess {
  public:
    ServiceProcess();
    ~ServiceProcess();
    ServiceProcess(const ServiceProcess&) = delete;
    ServiceProcess& operator=(const ServiceProcess&) = delete;

    void start();
    void stop(int signal);
    // Pins the service thread to this processor; the other threads are not changed.
    void pin(int processor) const;
    // Connects as soon as the service responds; no_manager if it will not.
    static Result<std::unique_ptr<ManagerClient>> connect();

    struct Usage {
        double service = 0, all = 0;  // of the service thread and of all threads; nanoseconds
    };
    Usage usage() const;  // processor time so far

  private:
    TemporaryDirectory disk_;
    TemporaryDirectory memory_{"/dev/shm"};
    pid_t child_ = -1;
};

// Pins the calling thread, and children it starts from now on, to one processor for the life of
// this object.
class Pinned {
  public:
    explicit Pinned(int processor);
    ~Pinned();
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
    struct Set;
    std::unique_ptr<Set> before_;
};
void pin_thread(pid_t thread, int processor);
// Among the processors this process may use.
std::vector<int> processors();

// A program that allocates regions and then only holds them.
class Holder {
  public:
    explicit Holder(int regions);
    // Waits until all regions are allocated.
    bool ready() const;

  private:
    struct Pipe {
        Pipe();
        Handle read, write;
    };
    Pipe done_;
    Child child_;
};

}  // namespace snakepit::shm::bench
