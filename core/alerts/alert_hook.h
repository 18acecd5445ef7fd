// SPDX-License-Identifier: MIT
// Ways in which people are told of alerts.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/alert_options.h"
#include "base/result.h"

namespace snakepit::shm {

// Alerts of one rule that fired, or were resolved, within a few seconds: told at once.
struct AlertMessage {
    std::string instance;
    std::vector<Alert> alerts;  // at least one, all of one rule and state

    const Alert& first() const { return alerts.front(); }
    bool firing() const { return first().state == AlertState::firing; }
};
// "Memory limit nearly reached", "A user was refused: alice, bob and 3 more".
std::string headline(const AlertMessage& message);
// {"instance":…,"status":"firing","rule":…,"alerts":[…]}
std::string to_json(const AlertMessage& message);
// As Alertmanager's webhooks post it, version 4.
std::string webhook_body(const AlertMessage& message);

// One way; its own thread calls it. `cancelled`: the manager stops, so return soon.
class AlertHook {
  public:
    AlertHook() = default;
    virtual ~AlertHook() = default;
    AlertHook(const AlertHook&) = delete;
    AlertHook& operator=(const AlertHook&) = delete;

    virtual std::string name() const = 0;  // "journal", "command", "webhook"
    // not_supported: there is nobody to tell on this host, and that is no failure.
    virtual Status tell(const AlertMessage& message, const std::atomic<bool>& cancelled) = 0;
    // How often the same message is tried again while it fails: with growing pauses.
    virtual int retries() const { return 0; }
};

std::unique_ptr<AlertHook> journal_hook(std::string socket = "/run/systemd/journal/socket");
std::unique_ptr<AlertHook> command_hook(std::vector<std::string> words);
std::unique_ptr<AlertHook> webhook_hook(const std::string& url);
// Those that the options name.
std::vector<std::unique_ptr<AlertHook>> make_hooks(const AlertOptions& options);

}  // namespace snakepit::shm
