// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/paths.h"
#include "base/result.h"
#include "config/config.h"

namespace snakepit::shm {

class RegionService;

struct ManagerOptions {
    InstancePaths paths;
    Config config;
    std::string backend = "linux_posix";  // name of the platform plugin
    std::string plugin_dir;               // empty: beside the program, then where it was installed
    std::function<void()> heartbeat;      // once a second while the service thread does its work
    // On the service thread, which waits for it: what somebody should look at, a sentence each.
    std::function<void(const std::string&)> alarm;
};

// The SharedMemory Manager: owns an instance's regions and serves its control socket on a
// background thread. Several may live in one process, each for an instance of its own.
class Manager {
  public:
    // Takes the instance's lock (instance_in_use, naming the process, if another has it), recovers
    // what an earlier manager left, and starts serving. Returns when clients can connect.
    static Result<std::unique_ptr<Manager>> start(ManagerOptions options);
    // Stops serving. Regions stay, and the next manager adopts them; clients may reconnect then.
    ~Manager();
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    const InstancePaths& paths() const;
    // Any thread: reads the configuration file again. An invalid one is reported, recorded, and
    // changes nothing. On success the JSON {"file": …, "needs_restart": [keys]}.
    Result<std::string> reload_config();

    // Any thread but the service's own: runs `work` on that and waits for it. For programs that
    // host the manager and want an operation without a connection.
    void run(const std::function<void(RegionService&)>& work);

  private:
    class Private;
    explicit Manager(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
