// SPDX-License-Identifier: MIT
// A backend of an older release.
#include <QObject>
#include <QtPlugin>

class WrongInterface final : public QObject {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID "dev.snakepit.shm.PlatformBackend/0" FILE "linux_posix.json")
};

#include "wrong_interface.moc"
