// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "alerts/alert_options.h"
#include "alerts/notification.h"
#include "base/result.h"

namespace snakepit::shm {

// Delivers notifications in one way. Called on a thread of its own.
class Receiver {
  public:
    Receiver() = default;
    virtual ~Receiver() = default;
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    virtual std::string name() const = 0;  // "journal", "command", "webhook"
    // Returns soon once `cancelled` is set: the manager stops. not_supported: this host has no such
    // receiver, and nothing was lost. invalid_argument: another attempt would fail too.
    virtual Status notify(const Notification& notification, const std::atomic<bool>& cancelled) = 0;
    // Further attempts for one notification, after growing pauses.
    virtual int retries() const { return 0; }
};

std::unique_ptr<Receiver> journal_receiver(std::string socket = "/run/systemd/journal/socket");
std::unique_ptr<Receiver> command_receiver(std::vector<std::string> words);
std::unique_ptr<Receiver> webhook_receiver(const std::string& url);
// Those that the options name.
std::vector<std::unique_ptr<Receiver>> make_receivers(const AlertOptions& options);

}  // namespace snakepit::shm
