// SPDX-License-Identifier: MIT
// For the tests that go through a whole table (event kinds, error codes, metrics): a real manager
// and what is needed to bring it into every situation.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include <functional>
#include <memory>

#include <sqlite3.h>

#include "client/manager_client.h"
#include "events/event_reader.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

class Situation {
  public:
    explicit Situation(const QString& configuration = {}, bool start = true)
        : service(std::make_shared<TestHost>()) {
        service.host().configure(configuration);
        service.host().use_in_this_process(service.instance());
        if (start && !service.start()) qWarning("the service does not start");
    }

    Service service;

    QString runtime(const QString& name) const {
        return service.host().runtime_dir(service.instance()) + "/" + name;
    }
    QString state(const QString& name) const {
        return service.host().state_dir(service.instance()) + "/" + name;
    }
    // The only segment whose name holds this.
    QString segment(const QString& part) const {
        for (const auto& name : service.host().segments())
            if (name.contains(part)) return service.host().path("segments/" + name);
        return {};
    }
    std::unique_ptr<ManagerClient> client(bool lease = true) const {
        auto made = ManagerClient::connect({.timeout_ms = kPatienceMs, .lease = lease});
        if (!made) qWarning("%s", made.error().sentence().c_str());
        return made ? std::move(*made) : nullptr;
    }
    // Of the user; nobody holds it.
    QString allocate(const QStringList& words = {"4096"}) const {
        return service.cli_json(QStringList{"allocate"} + words)["id"].toString();
    }
    RegionId region(const QStringList& words = {"4096"}) const {
        return RegionId::parse(allocate(words).toStdString()).value_or(RegionId{});
    }
    bool recorded(EventKind kind) const {
        auto reader = EventReader::open(state("events.db").toStdString());
        if (!reader) return false;
        EventQuery query;
        query.kind = kind;
        query.limit = 1;
        const auto rows = reader->query(query);
        return rows && !rows->empty();
    }
    bool waits_for(EventKind kind) const {
        return QTest::qWaitFor([&] { return recorded(kind); }, kPatienceMs);
    }
    // Changes a database behind its owner's back.
    bool sql(const QString& database, const char* statement) const {
        sqlite3* raw = nullptr;
        const bool done = sqlite3_open(state(database).toUtf8().constData(), &raw) == SQLITE_OK &&
                          sqlite3_exec(raw, statement, nullptr, nullptr, nullptr) == SQLITE_OK;
        sqlite3_close(raw);
        return done;
    }
    static void write(const QString& path, const QByteArray& bytes, qint64 offset = 0) {
        QFile file(path);
        if (!file.open(QIODevice::ReadWrite) || !file.seek(offset) ||
            file.write(bytes) != bytes.size())
            qWarning("cannot write %s", qPrintable(path));
    }

    // Runs `work` in a process of another user, who is let in; its exit status. Root only.
    int as_stranger(const std::function<int()>& work) const {
        constexpr uid_t kStranger = 65'534;
        const auto base = service.host().path("");
        for (const auto* part : {"", "runtime", "runtime/snakepit-shm", "segments"})
            QFile::setPermissions(base + "/" + part, QFile::Permissions(0x7711));
        const auto child = ::fork();
        if (child == 0) {
            const bool changed = ::setgid(kStranger) == 0 && ::setuid(kStranger) == 0;
            ::_exit(changed ? work() : 99);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    static constexpr const char* kOpenToAll = "socket_mode = \"0666\"\n";
};

}  // namespace snakepit::shm::test
