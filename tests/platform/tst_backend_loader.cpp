// SPDX-License-Identifier: MIT
// Plugins that cannot be used are refused, and the message says which file and why.
#include <QtTest>

#include "manager/backend_loader.h"

using namespace snakepit::shm;

class TestBackendLoader : public QObject {
    Q_OBJECT

    // The message of the refusal of the only plugin in a directory.
    static std::string refusal(const QString& directory) {
        const auto loaded = load_backend("linux_posix", directory.toStdString(), {});
        if (loaded) return "it was loaded";
        if (loaded.error().code != ErrorCode::plugin_load_failed) return "another error";
        if (loaded.error().remedy.empty()) return "no remedy";
        return loaded.error().message;
    }

    // A copy of the good plugin of which only the first `size` bytes are left, or changed ones.
    static QString with_bytes(const QTemporaryDir& directory, const QByteArray& bytes) {
        QFile file(directory.filePath("linux_posix.so"));
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) return {};
        return directory.path();
    }

    static QByteArray good_plugin() {
        QFile file(GOOD_PLUGIN);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

  private Q_SLOTS:
    void good_plugin_is_loaded() {
        QTemporaryDir directory;
        QVERIFY(!good_plugin().isEmpty());
        const auto path = with_bytes(directory, good_plugin()).toStdString();
        const auto loaded = load_backend("linux_posix", path, {});
        QVERIFY2(loaded, loaded ? "" : loaded.error().sentence().c_str());
        QCOMPARE(loaded->backend->name(), std::string_view("linux_posix"));
    }

    void wrong_interface_is_named() {
        const auto message = refusal(TEST_PLUGINS "/wrong_interface");
        QVERIFY2(message.find("plugin_wrong_interface.so") != message.npos, message.c_str());
        QVERIFY2(message.find("PlatformBackend/0', not '") != message.npos, message.c_str());
    }

    void missing_symbol_is_named() {
        const auto message = refusal(TEST_PLUGINS "/missing_symbol");
        QVERIFY2(message.find("may belong to another release") != message.npos, message.c_str());
        QVERIFY2(message.find("snakepit_value_of_another_release") != message.npos,
                 message.c_str());
    }

    void damaged_file_is_refused() {
        for (const auto& bytes : {QByteArray("not a library"), QByteArray(),
                                  good_plugin().left(100), good_plugin().left(20000)}) {
            QTemporaryDir directory;
            const auto message = refusal(with_bytes(directory, bytes));
            QVERIFY2(message.find("is damaged, or not a plugin") != message.npos, message.c_str());
            QVERIFY2(message.find("linux_posix.so") != message.npos, message.c_str());
        }
    }

    void other_backend_is_not_taken_for_it() {
        QTemporaryDir directory;
        const auto loaded = load_backend("windows_filemapping",
                                         with_bytes(directory, good_plugin()).toStdString(), {});
        QVERIFY(!loaded);
        QVERIFY(loaded.error().message.find("is the backend 'linux_posix'") != std::string::npos);
    }

    void empty_directory_is_named() {
        QTemporaryDir directory;
        const auto message = refusal(directory.path());
        QVERIFY2(message.find(directory.path().toStdString()) != message.npos, message.c_str());
    }
};

QTEST_GUILESS_MAIN(TestBackendLoader)
#include "tst_backend_loader.moc"
