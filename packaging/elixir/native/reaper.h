// SPDX-License-Identifier: MIT
// Threads for what must not run on a scheduler of the virtual machine: destructors and monitors
// only leave a task here.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace snakepit::elixir {

class Reaper {
  public:
    using Task = std::function<void()>;

    // For tasks that take microseconds; never waits behind a task of slow(). Both live as long as
    // the process, because the last resources are destroyed after the module was unloaded.
    static Reaper& quick();
    // For tasks that may wait for the manager or for a lock.
    static Reaper& slow();
    // Ends both threads when their queues are empty. A later task starts them again.
    static void join_all();

    void push(Task task);
    // Tasks that would be pushed again for as long as it takes should not be.
    bool ending();

  private:
    Reaper() = default;
    void start();  // with the mutex
    void run();
    void join();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> queue_;
    std::thread thread_;
    bool running_ = false;
    bool ending_ = false;
};

}  // namespace snakepit::elixir
