// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "platform/identity.h"

namespace snakepit::shm {

// The users, groups and programs that names in a policy stand for on this host.
class NameResolver {
  public:
    virtual ~NameResolver() = default;
    // By name or number; nothing if the user does not exist.
    virtual std::optional<std::uint32_t> user(const std::string& name) = 0;
    virtual std::optional<std::uint32_t> group(const std::string& name) = 0;
    virtual std::optional<Executable> program(const std::string& path) = 0;
};

// The system's. Names of users and groups are looked up at a decision and kept for a few seconds: a
// user who was removed loses what a policy says of the name, and one who is made later has it. One
// thread.
class SystemNameResolver final : public NameResolver {
  public:
    std::optional<std::uint32_t> user(const std::string& name) override;
    std::optional<std::uint32_t> group(const std::string& name) override;
    std::optional<Executable> program(const std::string& path) override;

  private:
    using Clock = std::chrono::steady_clock;
    using Known = std::map<std::string, std::pair<std::optional<std::uint32_t>, Clock::time_point>>;
    template <typename LookUp>
    static std::optional<std::uint32_t> remembered(Known& known, const std::string& name,
                                                   LookUp look_up);
    Known users_, groups_;
};

// The name, or the number if there is none.
std::string user_name(std::uint32_t uid);
std::string group_name(std::uint32_t gid);
// The groups a user gets at login.
std::vector<std::uint32_t> login_groups(std::uint32_t uid, std::uint32_t& primary);

}  // namespace snakepit::shm
