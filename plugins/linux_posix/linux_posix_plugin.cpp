// SPDX-License-Identifier: MIT
#include <QObject>

#include "linux_posix/linux_posix_backend.h"
#include "plugins/backend_plugin.h"

namespace snakepit::shm {

class LinuxPosixPlugin final : public QObject, public BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID SNAKEPIT_SHM_BACKEND_IID FILE "linux_posix.json")
    Q_INTERFACES(snakepit::shm::BackendPlugin)

  public:
    Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options) override {
        return LinuxPosixBackend::create(options);
    }
};

}  // namespace snakepit::shm

#include "linux_posix_plugin.moc"
