// SPDX-License-Identifier: MIT
// A service, a client in the test itself, and what tests of encrypted regions do again and again.
#pragma once

#include <QFile>
#include <QtTest>
#include <memory>
#include <random>
#include <vector>

#include "client/manager_client.h"
#include "encrypted_programs.h"
#include "layout/encrypted_layout.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

inline constexpr std::uint64_t kChunk = layout::kChunkBytes;

inline std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::minstd_rand random(seed + 1);
    std::vector<std::byte> out(size);
    for (auto& byte : out) byte = static_cast<std::byte>(random() >> 7);
    return out;
}

inline ErrorCode code(const Status& status) {
    return status ? ErrorCode{} : status.error().code;
}
template <typename T>
ErrorCode code(const Result<T>& result) {
    return result ? ErrorCode{} : result.error().code;
}

class EncryptionTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        service_ = std::make_unique<Service>();
        QVERIFY(service_->start());
        service_->host().use_in_this_process(service_->instance());
        auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
        QVERIFY(client);
        client_ = std::move(*client);
    }
    void cleanup() {
        client_.reset();
        service_.reset();
    }

  protected:
    RegionId allocate(std::uint64_t size, SecurityLevel level = SecurityLevel::high) {
        RegionOptions options;
        options.security_level = level;
        options.cleanup_policy = CleanupPolicy::manual;
        const auto id = client_->allocate(size, options);
        if (!id) qFatal("%s", id.error().sentence().c_str());
        return *id;
    }
    std::vector<std::byte> read(const RegionId& id, std::uint64_t offset, std::size_t size) {
        std::vector<std::byte> out(size);
        if (const auto done = client_->read(id, offset, out); !done)
            qWarning("%s", done.error().sentence().c_str());
        return out;
    }
    std::unique_ptr<Peer> peer(const QStringList& words) const {
        return std::make_unique<Peer>(QCoreApplication::applicationFilePath(), words,
                                      service_->host().environment(service_->instance()));
    }
    static QString name(const RegionId& id) { return QString::fromStdString(id.str()); }
    QString segment_file(const RegionId& id) const {
        return service_->host().path("segments/snakepit_test_" + name(id));
    }
    QByteArray segment(const RegionId& id) const {
        QFile file(segment_file(id));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
    // In place: whoever has it mapped sees it.
    void put(const RegionId& id, qint64 at, const QByteArray& bytes) const {
        QFile file(segment_file(id));
        if (!file.open(QIODevice::ReadWrite) || !file.seek(at) || file.write(bytes) != bytes.size())
            qFatal("cannot change the segment");
    }
    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> client_;
};

// The test program, or one of those it starts.
template <typename Test>
int run_test_or_role(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    const QStringList roles{"writer", "worker", "holder", "idler"};
    if (!words.isEmpty() && roles.contains(words.first())) return run_encrypted_program(words);
    Test test;
    return QTest::qExec(&test, argc, argv);
}

}  // namespace snakepit::shm::test
