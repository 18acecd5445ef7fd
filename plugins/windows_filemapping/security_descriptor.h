// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/policy.h"
#include "platform/windows/section.h"

namespace snakepit::shm {

// Who may open a section for what. Accounts are named by their own SIDs and never by the SID for
// owner rights, which Wine ignores.
class SectionAccess {
  public:
    // The owner is this process's user, "group" is its primary group and "other" is Everyone.
    // not_supported: the policy has a rule that an access list cannot express (a program, a
    // process, a user in a group), or names an unknown account.
    static Result<SectionAccess> from_policy(const Policy& policy);
    // The DACL of a security descriptor in SDDL: "D:(A;;GRGW;;;BA)". invalid_argument if it is not
    // one.
    static Result<SectionAccess> from_sddl(const std::string& text);
    // What a section has; its mark is left out.
    static Result<SectionAccess> of(HANDLE section);

    void add(const SectionAccess& other);
    // Takes away what only reading does not need.
    void limit_to_reading();
    // As permission bits: user, and what everybody else has at most.
    std::uint32_t mode() const;

    // A descriptor with the owner, these entries and the mark; valid as long as the object.
    class Descriptor {
      public:
        PSECURITY_DESCRIPTOR get() { return &descriptor_; }

      private:
        friend class SectionAccess;
        SECURITY_DESCRIPTOR descriptor_{};
        std::string owner_;
        std::vector<DWORD> list_;  // the ACL
    };
    Result<std::unique_ptr<Descriptor>> descriptor(const windows::SectionMark& mark) const;
    // Replaces the DACL of a section; needs WRITE_DAC.
    Status apply(HANDLE section, const windows::SectionMark& mark) const;

  private:
    struct Entry {
        std::string sid;  // its bytes
        DWORD rights = 0;
        bool deny = false;
    };
    Status add_rule(const PolicyRule& rule);
    void allow(std::string sid, Rights rights);
    std::vector<Entry> entries_;
};

}  // namespace snakepit::shm
