// SPDX-License-Identifier: MIT
// A platform backend as a Qt plugin that makes one. An author's checklist is in plugins/README.md.
#pragma once

#include <QtPlugin>
#include <memory>

#include "base/result.h"
#include "platform/backend.h"

namespace snakepit::shm {

class BackendPlugin {
  public:
    virtual ~BackendPlugin() = default;
    virtual Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options) = 0;
};

}  // namespace snakepit::shm

#define SNAKEPIT_SHM_BACKEND_IID "dev.snakepit.shm.PlatformBackend/1"
Q_DECLARE_INTERFACE(snakepit::shm::BackendPlugin, SNAKEPIT_SHM_BACKEND_IID)
