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

// `snakepit-shm serve` in a process of its own, as it runs in earnest, with an instance and
// directories of its own: registry and segments in memory, the database on the disk. What it left
// goes with it. Sets the environment, so that connect() and children find it.
class ServiceProcess {
  public:
    ServiceProcess();
    ~ServiceProcess();
    ServiceProcess(const ServiceProcess&) = delete;
    ServiceProcess& operator=(const ServiceProcess&) = delete;

    void start();
    void stop(int signal);
    // The thread that answers runs on this processor alone; the others stay where they are.
    void pin(int processor) const;
    // As soon as it answers; no_manager once it is clear that it will not.
    static Result<std::unique_ptr<ManagerClient>> connect();

    struct Usage {
        double service = 0, all = 0;  // of the thread that answers, of all; nanoseconds
    };
    Usage usage() const;  // processor time so far

  private:
    TemporaryDirectory disk_;
    TemporaryDirectory memory_{"/dev/shm"};
    pid_t child_ = -1;
};

// The calling thread, and children it makes from now on, stay on one processor until the end of
// this object's life.
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
// Of those this process may use.
std::vector<int> processors();

// A program that makes regions and then only holds them.
class Holder {
  public:
    explicit Holder(int regions);
    // Waits until all regions are made.
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
