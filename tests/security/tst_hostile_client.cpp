// SPDX-License-Identifier: MIT
// A client that owns its connection, its lease page and what it was handed, and does with them
// whatever it likes. Others keep their data, their counts and their pace. As root the attacker is
// another user; else it is the service's own, who can do more.
#include <QJsonDocument>
#include <QtTest>

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

#include "client/manager_client.h"
#include "hostile.h"
#include "service_fixture.h"
#include "victim.h"

namespace test = snakepit::shm::test;
using namespace snakepit::shm;
using test::Peer;

namespace {

constexpr int kVictims = 3;
constexpr auto kAttacker = "65534";  // nobody
// Allocating, mapping and giving back, while somebody attacks and two processors are shared with
// everything else on the machine: an interactive program's patience.
constexpr qint64 kP99Microseconds = 250'000;

unsigned number_from(const char* name, unsigned otherwise) {
    bool ok = false;
    const auto value = qEnvironmentVariable(name).toUInt(&ok);
    return ok ? value : otherwise;
}

bool root() {
    return ::geteuid() == 0;
}

}  // namespace

class HostileClient : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void others_keep_their_data_their_counts_and_their_pace_data();
    void others_keep_their_data_their_counts_and_their_pace();

  private:
    QString allocate(const QStringList& words = {}) {
        return service_->cli_json(QStringList{"allocate", "256KiB"} + words).value("id").toString();
    }
    qint64 references(const QString& id) {
        return service_->cli_json({"info", id}).value("reference_count").toInteger(-1);
    }
    int clients() {
        const auto admin = ManagerClient::connect({.lease = false});
        const auto text = admin ? (*admin)->report("clients") : Result<std::string>("");
        return QJsonDocument::fromJson(QByteArray::fromStdString(text.value_or("")))["total"].toInt(
            -1);
    }
    void let_others_in() const;
    std::unique_ptr<Peer> attacker(const QStringList& words) const;

    std::unique_ptr<test::Service> service_;
    std::vector<std::unique_ptr<Peer>> victims_;
    QStringList kept_;
};

void HostileClient::init() {
    service_ = std::make_unique<test::Service>();
    service_->host().configure(
        "max_regions = 5000\nmax_regions_per_process = 1000\n"
        "grace_period = \"100ms\"");
    QVERIFY(service_->start());
    let_others_in();
    service_->host().use_in_this_process(service_->instance());
    for (int i = 0; i < kVictims; ++i) {
        kept_.push_back(allocate());
        victims_.push_back(std::make_unique<Peer>(
            QCoreApplication::applicationFilePath(), QStringList{"victim", kept_.back()},
            service_->host().environment(service_->instance())));
        QCOMPARE(victims_.back()->line(), QString("ready"));
    }
}

void HostileClient::cleanup() {
    victims_.clear();
    kept_.clear();
    QCOMPARE(service_->stop(), 0);
    service_.reset();
}

// To the socket, and to nothing else.
void HostileClient::let_others_in() const {
    if (!root()) return;
    const auto runtime = service_->host().runtime_dir(service_->instance());
    for (auto path = runtime; path.size() > 1; path = QFileInfo(path).path())
        if (QFileInfo(path).ownerId() == 0) {
            struct stat info {};
            ::stat(qPrintable(path), &info);
            ::chmod(qPrintable(path), (info.st_mode | S_IXGRP | S_IXOTH) & 07777);
        }
    ::chmod(qPrintable(runtime + "/control.sock"), 0666);
}

std::unique_ptr<Peer> HostileClient::attacker(const QStringList& words) const {
    const auto environment = service_->host().environment(service_->instance());
    const auto self = QCoreApplication::applicationFilePath();
    if (!root()) return std::make_unique<Peer>(self, QStringList{"hostile"} + words, environment);
    return std::make_unique<Peer>("setpriv",
                                  QStringList{"--reuid", kAttacker, "--regid", kAttacker,
                                              "--clear-groups", "--", self, "hostile"} +
                                      words,
                                  environment);
}

void HostileClient::others_keep_their_data_their_counts_and_their_pace_data() {
    QTest::addColumn<QString>("attack");
    for (const auto* attack :
         {"page", "frames", "flood", "connections", "descriptors", "files", "fates"})
        QTest::newRow(attack) << attack;
}

void HostileClient::others_keep_their_data_their_counts_and_their_pace() {
    QFETCH(QString, attack);
    const auto open = allocate({"--other", "rw"}), readable = allocate({"--other", "ro"});
    const auto milliseconds = number_from("SNAKEPIT_ATTACK_SECONDS", 3) * 1000;
    const auto seed = number_from("SNAKEPIT_ATTACK_SEED", 1);
    const auto hostile = attacker(
        QStringList{attack, QString::number(seed), QString::number(milliseconds), open, readable} +
        kept_);
    QCOMPARE(hostile->line(), QString("ready"));
    const auto service = service_->pid();
    hostile->say("go");
    const auto done = hostile->line();
    QVERIFY2(done.startsWith("done") || done.startsWith("kept"), qPrintable(done));
    for (int i = 0; i < kVictims; ++i) {
        const auto said = victims_[std::size_t(i)]->ask("enough").split(' ');
        QVERIFY2(said.size() == 5 && said[0] == "done", qPrintable(said.join(' ')));
        qInfo("%s: %s; %s rounds, p99 %s us, worst %s us", qPrintable(attack), qPrintable(done),
              qPrintable(said[1]), qPrintable(said[2]), qPrintable(said[3]));
        QVERIFY(said[1].toInt() >= 20);
        QVERIFY2(said[2].toLongLong() <= kP99Microseconds, qPrintable(said.join(' ')));
        QCOMPARE(said[4].toLongLong(), 1);
        QCOMPARE(references(kept_[i]), 1);
    }
    QCOMPARE(service_->pid(), service);
    QVERIFY(service_->running());
    hostile->end();
    // Nothing of it stays.
    QTRY_COMPARE_WITH_TIMEOUT(clients(), kVictims, test::kPatienceMs);
    for (const auto& id : kept_) QCOMPARE(references(id), 1);
}

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (words.value(0) == "hostile") return run_hostile(words.mid(1));
    if (words.value(0) == "victim") return run_victim(words.mid(1));
    HostileClient test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_hostile_client.moc"
