// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/paths.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The history of one instance in its state directory. Verifying takes the public key; a report is
// signed with the instance's own key, which only the service's user reads.
class LiveAudit : public AuditPort {
  public:
    explicit LiveAudit(InstancePaths paths) : paths_(std::move(paths)) {}
    Result<AuditVerdict> verify() override;
    Result<PublicKey> write(const ReportOrder& order, ReportProgress& progress) override;

  private:
    InstancePaths paths_;
};

}  // namespace snakepit::shm::ui
