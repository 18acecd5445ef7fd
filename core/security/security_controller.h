// SPDX-License-Identifier: MIT
#pragma once

#include "base/region.h"
#include "base/result.h"
#include "layout/registry_layout.h"
#include "platform/channel.h"

namespace snakepit::shm {

enum class Operation : std::uint8_t { read, write, manage, look };

// The specification's Security Controller: who may do what with a region, from what the kernel says
// about the caller and from the region's permission set. Stateless.
class SecurityController {
  public:
    // `service_uid`: the user the manager runs as; that user and root are administrators.
    explicit SecurityController(std::uint32_t service_uid) : service_uid_(service_uid) {}

    std::uint32_t service_uid() const { return service_uid_; }
    bool administrator(const Credentials& who) const {
        return who.uid == service_uid_ || who.uid == 0;
    }
    // permission_denied, with the region's owner named, when the caller may not.
    // manage (deallocate, change) is for the owner and administrators; look (to find and list it)
    // for whoever may read it.
    Status check(const Credentials& who, Operation operation, const layout::SlotFixed& region,
                 const layout::SlotBody& policy) const;

  private:
    std::uint32_t service_uid_;
};

}  // namespace snakepit::shm
