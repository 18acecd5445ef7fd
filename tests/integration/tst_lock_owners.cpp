// SPDX-License-Identifier: MIT
// Owners of locks that are not threads.
#include <thread>

#include <QJsonArray>
#include <QtTest>

#include "base/lock_owner.h"
#include "client/manager_client.h"
#include "from_environment.h"
#include "lock_owners.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;

namespace {

constexpr std::uint32_t kAnn = kFirstOwner + 7, kBob = kFirstOwner + 8;
constexpr int kRegions = 6;

}  // namespace

class LockOwners : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        QVERIFY(service_.start());
        service_.host().use_in_this_process(service_.instance());
        client_ = ManagerClient::connect().value();
    }
    void numbers_of_threads_are_refused();
    void owners_of_one_thread_exclude_each_other();
    void a_deadlock_between_owners_is_found_and_named();
    void they_are_shown_as_what_they_are();
    void what_a_dead_owner_had_locked_is_inconsistent_for_everybody_data();
    void what_a_dead_owner_had_locked_is_inconsistent_for_everybody();
    void a_dead_reader_leaves_nothing();
    void what_is_not_held_cannot_be_abandoned();
    void a_thread_that_waits_for_its_lock_through_another_client_is_told();
    void more_owners_than_threads_at_random_and_death_frees_all();

  private:
    RegionId allocate() { return client_->allocate(4096).value(); }
    QJsonObject locks(const RegionId& id) const {
        const QString name = QString::fromStdString(id.str());
        return service_.cli_json({"locks", name}).value("locks").toArray().at(0).toObject();
    }

    test::Service service_;
    std::unique_ptr<ManagerClient> client_;
};

void LockOwners::numbers_of_threads_are_refused() {
    const auto id = allocate();
    for (const std::uint32_t owner : {1U, 4711U, kFirstOwner - 1}) {
        const auto refused = client_->lock(id, AccessMode::read_only, 0, owner);
        QVERIFY(!refused);
        QCOMPARE(refused.error().code, ErrorCode::invalid_argument);
        QVERIFY(refused.error().sentence().find("4194304") != std::string::npos);
        QCOMPARE(client_->lock_begin(id, AccessMode::read_only, owner).error().code,
                 ErrorCode::invalid_argument);
    }
    const auto held = client_->lock(id, AccessMode::read_only, 0, kFirstOwner);
    QVERIFY(held.has_value());
    QVERIFY(client_->unlock(id, held->token).has_value());
}

void LockOwners::owners_of_one_thread_exclude_each_other() {
    const auto id = allocate();
    const auto ann = client_->lock(id, AccessMode::read_write, 0, kAnn);
    QVERIFY(ann.has_value());
    for (const auto owner : {kBob, 0U})
        QCOMPARE(client_->lock(id, AccessMode::read_only, 0, owner).error().code,
                 ErrorCode::timeout);
    const auto deeper = client_->lock(id, AccessMode::read_write, 0, kAnn);
    QCOMPARE(deeper.value().token, ann->token);
    QVERIFY(client_->unlock(id, ann->token).has_value());
    QVERIFY(client_->unlock(id, ann->token).has_value());
    QCOMPARE(client_->unlock(id, ann->token).error().code, ErrorCode::not_held);
    const auto bob = client_->lock(id, AccessMode::read_only, 0, kBob);
    const auto self = client_->lock(id, AccessMode::read_only, 0);
    QVERIFY(bob && self);
    QCOMPARE(client_->lock(id, AccessMode::read_write, 0, kBob).error().code, ErrorCode::timeout);
    QVERIFY(client_->unlock(id, self->token).has_value());
    QVERIFY(client_->unlock(id, bob->token).has_value());
}

void LockOwners::a_deadlock_between_owners_is_found_and_named() {
    const auto one = allocate();
    const auto other = allocate();
    const auto ann = client_->lock(one, AccessMode::read_write, 0, kAnn);
    const auto bob = client_->lock(other, AccessMode::read_write, 0, kBob);
    QVERIFY(ann && bob);
    const auto waits = client_->lock_begin(other, AccessMode::read_only, kAnn);
    QVERIFY(waits.has_value());
    const auto refused = client_->lock(one, AccessMode::read_only, kLockForever, kBob);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::deadlock);
    const auto said = refused.error().sentence();
    for (const auto owner : {kAnn, kBob})
        QVERIFY2(said.find("owner " + std::to_string(owner)) != std::string::npos, said.c_str());
    QVERIFY(client_->unlock(other, bob->token).has_value());
    const auto granted = client_->lock_wait(*waits, kPatienceMs);
    QVERIFY(granted && *granted);
    QVERIFY(client_->unlock(other, (*granted)->token).has_value());
    QVERIFY(client_->unlock(one, ann->token).has_value());
}

void LockOwners::they_are_shown_as_what_they_are() {
    const auto id = allocate();
    const auto bob = client_->lock(id, AccessMode::read_write, 0, kBob);
    QVERIFY(bob.has_value());
    const auto shown = locks(id).value("holders").toArray().at(0).toObject();
    QCOMPARE(shown.value("owner").toInteger(), qint64{kBob});
    QVERIFY(!shown.contains("thread"));
    const auto text = service_.cli({"locks", QString::fromStdString(id.str())}).out;
    QVERIFY2(text.contains(QString("owner %1").arg(kBob)), qPrintable(text));
    QVERIFY(!text.contains("thread"));
    QVERIFY(client_->unlock(id, bob->token).has_value());
    const auto self = client_->lock(id, AccessMode::read_write, 0);
    QVERIFY(locks(id).value("holders").toArray().at(0).toObject().contains("thread"));
    QVERIFY(client_->unlock(id, self->token).has_value());
}

void LockOwners::what_a_dead_owner_had_locked_is_inconsistent_for_everybody_data() {
    QTest::addColumn<int>("levels");
    QTest::addColumn<bool>("contended");
    QTest::addColumn<bool>("restarted");
    QTest::newRow("in the lease page") << 1 << false << false;
    QTest::newRow("several levels") << 3 << false << false;
    QTest::newRow("with the manager") << 2 << true << false;
    QTest::newRow("after a restart") << 2 << false << true;
}

void LockOwners::what_a_dead_owner_had_locked_is_inconsistent_for_everybody() {
    QFETCH(int, levels);
    QFETCH(bool, contended);
    QFETCH(bool, restarted);
    const auto id = allocate();
    const auto other = ManagerClient::connect().value();
    std::uint64_t token = 0;
    for (int level = 0; level < levels; ++level) {
        const auto ann = client_->lock(id, AccessMode::read_write, kPatienceMs, kAnn);
        QVERIFY(ann.has_value());
        token = ann->token;
    }
    Result<std::uint64_t> waits = 0U;
    if (contended) {
        waits = other->lock_begin(id, AccessMode::read_only, kBob);
        QVERIFY(waits.has_value());
    }
    if (restarted) QVERIFY(service_.restart_after_kill());
    QVERIFY(client_->abandon(id, token).has_value());
    QCOMPARE(client_->abandon(id, token).error().code, ErrorCode::not_held);
    QCOMPARE(client_->unlock(id, token).error().code, ErrorCode::not_held);
    QVERIFY(!client_->locked_with(token));

    const auto reads = [&]() -> Result<std::optional<LockGrant>> {
        if (contended) return other->lock_wait(*waits, kPatienceMs);
        SHM_ASSIGN(const auto granted, other->lock(id, AccessMode::read_only, kPatienceMs));
        return std::optional(granted);
    }();
    QVERIFY(reads && *reads);
    QVERIFY((*reads)->inconsistent);
    QVERIFY(locks(id).value("inconsistent").toBool());
    QVERIFY(other->unlock(id, (*reads)->token).has_value());
    const auto writes = client_->lock(id, AccessMode::read_write, kPatienceMs, kBob);
    QVERIFY(writes && writes->inconsistent);
    QVERIFY(client_->unlock(id, writes->token).has_value());  // it has repaired the contents
    const auto later = other->lock(id, AccessMode::read_write, kPatienceMs);
    QVERIFY(later && !later->inconsistent);
    const auto events = service_.cli({"events", "--kind", "lock_broken", "--json"}).out;
    QVERIFY2(events.contains(QString::fromStdString(id.str())), qPrintable(events));
    QVERIFY2(events.contains(QString("owner %1").arg(kAnn)), qPrintable(events));
}

void LockOwners::a_dead_reader_leaves_nothing() {
    const auto id = allocate();
    const auto ann = client_->lock(id, AccessMode::read_only, kPatienceMs, kAnn);
    const auto bob = client_->lock(id, AccessMode::read_only, kPatienceMs, kBob);
    QVERIFY(ann && bob);
    QVERIFY(client_->abandon(id, ann->token).has_value());
    QVERIFY(client_->unlock(id, bob->token).has_value());
    const auto writes = client_->lock(id, AccessMode::read_write, kPatienceMs, kAnn);
    QVERIFY(writes && !writes->inconsistent);
}

void LockOwners::what_is_not_held_cannot_be_abandoned() {
    const auto id = allocate();
    const auto other = ManagerClient::connect().value();
    const auto ann = client_->lock(id, AccessMode::read_write, kPatienceMs, kAnn);
    QVERIFY(ann.has_value());
    for (const auto& [who, token] :
         {std::pair{client_.get(), ann->token + 1}, std::pair{other.get(), ann->token}})
        QCOMPARE(who->abandon(id, token).error().code, ErrorCode::not_held);
    QVERIFY(client_->unlock(id, ann->token).has_value());
    const auto next = other->lock(id, AccessMode::read_write, kPatienceMs);
    QVERIFY(next && !next->inconsistent);
}

void LockOwners::a_thread_that_waits_for_its_lock_through_another_client_is_told() {
    const auto other = ManagerClient::connect().value();
    RegionOptions options;
    options.security_level = SecurityLevel::high;
    const auto encrypted = client_->allocate(4096, options).value();
    const std::byte bytes[8] = {};
    for (const auto& id : {allocate(), encrypted}) {
        const auto held = client_->lock(id, AccessMode::read_write, kPatienceMs);
        QVERIFY(held.has_value());
        const auto refused = other->lock(id, AccessMode::read_only, kLockForever);
        QCOMPARE(refused.error().code, ErrorCode::deadlock);
        if (id == encrypted) QCOMPARE(other->write(id, 0, bytes).error().code, ErrorCode::deadlock);
        // Another thread waits for this one.
        Result<LockGrant> granted = fail(ErrorCode::timeout, "not asked yet");
        std::thread thread([&] { granted = other->lock(id, AccessMode::read_only, kPatienceMs); });
        const bool waits = QTest::qWaitFor(
            [&] { return !locks(id).value("waiters").toArray().isEmpty(); }, kPatienceMs);
        const auto given = client_->unlock(id, held->token);
        thread.join();
        QVERIFY(waits && given && granted);
        QVERIFY(other->unlock(id, granted->token).has_value());
    }
}

void LockOwners::more_owners_than_threads_at_random_and_death_frees_all() {
    const int wanted = test::from_environment("SNAKEPIT_OWNER_LOCKS", 5000);
    QStringList ids;
    for (int i = 0; i < kRegions; ++i) ids += QString::fromStdString(allocate().str());
    test::Peer owners(QCoreApplication::applicationFilePath(),
                      QStringList{"owners", QString::number(wanted), "1"} + ids,
                      service_.host().environment(service_.instance()));
    QCOMPARE(owners.line(), "ready");
    const auto said = owners.line();
    QVERIFY2(said.startsWith("done"), qPrintable(said));
    QVERIFY(said.section(' ', 1, 1).toInt() >= wanted);
    QVERIFY2(said.section(' ', 2, 2).toInt() > 0, "no deadlock was found");
    qInfo("%s", qPrintable(said));
    QVERIFY(!service_.cli_json({"locks"}).value("locks").toArray().isEmpty());
    QCOMPARE(owners.end(SIGKILL).status, -SIGKILL);
    for (const auto& id : ids) {
        const auto granted =
            client_->lock(*RegionId::parse(id.toStdString()), AccessMode::read_write, kPatienceMs);
        QVERIFY(granted.has_value());
    }
}

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.first() == "owners") return run_lock_owners(words);
    LockOwners test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_lock_owners.moc"
