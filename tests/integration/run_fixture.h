// SPDX-License-Identifier: MIT
// For tests of `snakepit-shm run`: runs it on real programs, reads what it reported, and removes
// what they left. Only segments of the test's own are made and removed.
#pragma once

#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include <csignal>

#include "service_fixture.h"

namespace snakepit::shm::test {

inline const QString kCli = QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm";
inline const QString kLeaker = QStringLiteral(SNAKEPIT_LEAKER);  // programs/leaker.c
inline const QString kPython = "/usr/bin/python3";
inline constexpr int kUser = 64'321;  // nobody else on the host runs as this one

inline bool is_root() {
    return ::geteuid() == 0;
}

inline QStringList as_user(const QStringList& words) {
    if (!is_root()) return words;
    const auto user = QString::number(kUser);
    return QStringList{"setpriv", "--reuid", user, "--regid", user, "--clear-groups"} + words;
}

inline QStringList run(const QStringList& words) {
    return QStringList{kCli, "run", "--json"} + words;
}

// The last line of standard error.
inline QJsonObject report_of(const Finished& finished) {
    const auto lines = finished.err.trimmed().split('\n');
    return QJsonDocument::fromJson(lines.back().toUtf8()).object();
}

inline QStringList names_in(const QJsonObject& report, const QString& list) {
    QStringList out;
    for (const auto& item : report[list].toArray()) out += item.toObject()["name"].toString();
    out.sort();
    return out;
}

inline QJsonObject item_named(const QJsonObject& report, const QString& list, const QString& name) {
    for (const auto& item : report[list].toArray())
        if (item.toObject()["name"].toString() == name) return item.toObject();
    return {};
}

// Removes what the programs left, and ends those that go on, when it ends.
class Leavings {
  public:
    ~Leavings() { remove(); }

    // Another test begins.
    void begin() {
        // No digits: a number in a name may be taken for that of the process that made it.
        made_ = "snakepit-run-";
        for (const auto digit : QString("%1").arg(qint64{::getpid()} * 100 + ++tests_))
            made_ += QChar('a' + digit.digitValue());
        made_ += '-';
    }
    QString name(const QString& end) const { return made_ + end; }
    static bool there(const QString& name) { return QFile::exists("/dev/shm/" + name); }
    Finished execute(const QStringList& words) const { return start(words)->wait(); }
    std::unique_ptr<Peer> start(QStringList words) const {
        const auto program = words.takeFirst();
        return std::make_unique<Peer>(program, words, host.environment("test"));
    }
    // The name of the System V segment with this number.
    QString table_segment(const QString& id) {
        tables_ += id.toInt();
        return "sysv:" + id.trimmed();
    }
    int last_table() const { return tables_.back(); }
    int first_table() const { return tables_.front(); }
    void end_later(qint64 pid) { daemons_ += static_cast<int>(pid); }

    void remove() {
        for (const int pid : std::as_const(daemons_))
            if (pid > 1) ::kill(pid, SIGKILL);
        for (const int id : std::as_const(tables_)) ::shmctl(id, IPC_RMID, nullptr);
        tables_.clear();
        daemons_.clear();
        if (made_.isEmpty()) return;
        const QDir shm("/dev/shm");
        for (const auto& left : shm.entryList({made_ + "*"}, QDir::AllEntries | QDir::System))
            if (!QFile::remove(shm.filePath(left))) QDir(shm.filePath(left)).removeRecursively();
    }

    TestHost host;

  private:
    QString made_;
    int tests_ = 0;
    QList<int> tables_, daemons_;
};

}  // namespace snakepit::shm::test
