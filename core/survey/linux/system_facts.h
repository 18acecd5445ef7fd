// SPDX-License-Identifier: MIT
// Answers about mounts, user ids and the kernel, read on first use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "survey/linux/circles.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/process_table.h"
#include "survey/linux/unseen_users.h"
#include "survey/system_view.h"

namespace snakepit::shm::survey {

// One line of /etc/subuid or /etc/subgid: ids that its user may take in a user namespace.
struct SubordinateIds {
    std::string user, file;
    std::uint32_t first = 0, count = 0;
};
std::vector<SubordinateIds> parse_subordinate_ids(std::string_view text, std::string_view file);

// Whether a service other than files assigns subordinate ids, by /etc/nsswitch.conf.
bool has_subordinate_service(std::string_view nsswitch);

class SystemFacts final : public SystemView {
  public:
    // Both outlive it. `users`: of those whose file could not be determined.
    SystemFacts(const ProcessTable& table, const MemoryMounts& mounts,
                std::vector<KernelUser> users)
        : table_(table), mounts_(mounts), users_(std::move(users)) {}

    std::string other_ids(std::uint64_t device) const override;
    std::string later_ids(const Access& access) const override;
    std::string use_without_process(const HostSegment& segment) const override;
    Answer circle_ended(const RecordedProcess& process) const override;

  private:
    void read_hidden_mounts() const;
    void read_subordinate_ids() const;
    void read_subordinate_ids_below(int root, const char* user_file, const char* group_file) const;

    const ProcessTable& table_;
    const MemoryMounts& mounts_;
    std::vector<KernelUser> users_;
    mutable std::optional<GroupTree> groups_;
    // Of processes whose mount namespace is not accessible.
    struct HiddenMounts {
        std::map<std::uint64_t, std::string> idmapped;  // by device
        std::string unread;                             // why some could not be read
    };
    mutable std::optional<HiddenMounts> hidden_;
    struct Subordinates {
        std::vector<SubordinateIds> users, groups;
        bool by_service = false;
    };
    mutable std::optional<Subordinates> subordinates_;
};

}  // namespace snakepit::shm::survey
