// SPDX-License-Identifier: MIT
// A backend that was linked against a library that has changed.
#include <QObject>

#include "plugins/backend_plugin.h"

extern const int snakepit_value_of_another_release;

namespace snakepit::shm {

class MissingSymbol final : public QObject, public BackendPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID SNAKEPIT_SHM_BACKEND_IID FILE "linux_posix.json")
    Q_INTERFACES(snakepit::shm::BackendPlugin)

  public:
    Result<std::unique_ptr<PlatformBackend>> create(const BackendOptions&) override {
        return fail(ErrorCode::not_supported, std::to_string(snakepit_value_of_another_release));
    }
};

}  // namespace snakepit::shm

#include "missing_symbol.moc"
