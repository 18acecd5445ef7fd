// SPDX-License-Identifier: MIT
#include <QObject>

#include "in_memory/in_memory_backend.h"
#include "plugins/backend_plugin.h"

namespace snakepit::shm {

class InMemoryPlugin final : public QObject, public BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID SNAKEPIT_SHM_BACKEND_IID FILE "in_memory.json")
    Q_INTERFACES(snakepit::shm::BackendPlugin)

  public:
    Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions& options) override {
        return InMemoryBackend::create(options);
    }
};

}  // namespace snakepit::shm

#include "in_memory_plugin.moc"
