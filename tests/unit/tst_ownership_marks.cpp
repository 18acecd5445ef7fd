// SPDX-License-Identifier: MIT
// The marks that say whose segments are: what is written, what is believed of it, and when a
// registry counts as lost.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include "layout/ownership.h"
#include "layout/registry_layout.h"

using namespace snakepit::shm;

namespace {

constexpr std::uint64_t kEpoch = 0x0123456789abcdef, kOther = 0x1122334455667788;
constexpr std::uint32_t kTag = 0x89abcdef;

}  // namespace

class OwnershipMarks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();

    void a_text_is_read_as_it_was_written();
    void other_texts_say_nothing_data();
    void other_texts_say_nothing();
    void a_held_mark_keeps_and_a_free_one_does_too();
    void a_registry_that_was_replaced_is_lost();
    void a_damaged_registry_is_not_lost();
    void a_directory_that_was_exchanged_is_lost_and_one_that_is_covered_is_not();
    void a_file_system_that_ended_took_its_registry_along();
    void a_registry_that_is_a_pipe_makes_nobody_wait();
    void the_next_manager_of_a_registry_takes_its_mark();
    void a_free_mark_beside_a_held_one_of_the_same_registry_means_nothing();
    void marks_of_the_dead_go_when_nothing_of_theirs_is_left();
    void marks_of_earlier_releases_go_when_nothing_is_in_doubt();
    void numbers_carry_the_tag_of_their_registry();

  private:
    InstancePaths paths(const QString& runtime) const {
        return {"test", runtime.toStdString(), {}, {}, {}};
    }
    std::string marks() const { return directory_->path().toStdString(); }
    QStringList names() const {
        return QDir(directory_->path()).entryList({".snakepit_*"}, QDir::Files | QDir::Hidden);
    }
    // A mark whose manager is dead.
    void leave(std::uint64_t epoch, const QString& runtime) const {
        (void)OwnershipMark(marks(), paths(runtime), ::geteuid(), epoch);
    }
    void write(const QString& path, const QByteArray& text) const {
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(text);
    }
    void registry(const QString& runtime, std::uint64_t epoch) const {
        layout::RegistryHeader header{};
        header.magic = layout::kRegistryMagic;
        header.epoch = epoch;
        header.checksum = layout::checksum_of(header);
        write(runtime + "/registry",
              QByteArray(reinterpret_cast<const char*>(&header), sizeof header));
    }
    Owner owner(std::uint32_t tag = kTag, std::uint64_t own = kOther) const {
        return Ownership::read(marks(), "test", ::geteuid(), own).owner(tag);
    }

    std::unique_ptr<QTemporaryDir> directory_;
    QString run_;
};

void OwnershipMarks::init() {
    directory_ = std::make_unique<QTemporaryDir>();
    run_ = directory_->filePath("run");
    QVERIFY(QDir().mkpath(run_));
}

void OwnershipMarks::a_text_is_read_as_it_was_written() {
    const Ownership::Place place{"4/5:6", {{7, 0xFFFFFFFFFFFFFFFF, true}, 8, -9}, "/a b/registry"};
    const auto text = Ownership::format(place);
    const auto parsed = Ownership::parse(text);
    QVERIFY(parsed.has_value());
    QCOMPARE(parsed->view, place.view);
    QCOMPARE(parsed->registry, place.registry);
    QVERIFY(parsed->directory == place.directory);
    QVERIFY(Ownership::format({"", {}, "/a\nb/registry"}).empty());
}

void OwnershipMarks::other_texts_say_nothing_data() {
    QTest::addColumn<QByteArray>("text");
    const auto good = QByteArray::fromStdString(
        Ownership::format({"4/5:6", {{7, 8, true}, 9, 10}, "/run/registry"}));
    for (int cut = 0; cut < good.size() - 1; ++cut)
        QTest::addRow("%d bytes", cut) << good.left(cut);
    QTest::newRow("more behind it") << good + "x";
    QTest::newRow("a number that is none") << QByteArray(good).replace("7 8", "7 x");
    QTest::newRow("a number too large")
        << QByteArray(good).replace("7 8", "7 99999999999999999999999");
    QTest::newRow("another version") << QByteArray(good).replace("mark 1", "mark 2");
    QTest::newRow("zeros") << QByteArray(8192, '\0');
    QTest::newRow("no path") << QByteArray(good).replace("/run/registry", "registry");
}

void OwnershipMarks::other_texts_say_nothing() {
    QFETCH(QByteArray, text);
    QVERIFY(!Ownership::parse({text.constData(), static_cast<std::size_t>(text.size())}));
}

void OwnershipMarks::a_held_mark_keeps_and_a_free_one_does_too() {
    registry(run_, kEpoch);
    QCOMPARE(owner(), Owner::may_return);  // no mark at all
    {
        const OwnershipMark mark(marks(), paths(run_), ::geteuid(), kEpoch);
        QCOMPARE(mark.problem(), std::string());
        QCOMPARE(owner(), Owner::running);
        QCOMPARE(owner(kTag, kEpoch), Owner::us);
        QVERIFY(::fork() != 0 || (::usleep(500'000), ::_exit(0), true));  // inherits nothing
    }
    QCOMPARE(owner(), Owner::may_return);
}

void OwnershipMarks::a_registry_that_was_replaced_is_lost() {
    registry(run_, kEpoch);
    leave(kEpoch, run_);
    registry(run_, kOther);
    QCOMPARE(owner(), Owner::nobody);
    QFile::remove(run_ + "/registry");
    QCOMPARE(owner(), Owner::nobody);
}

void OwnershipMarks::a_damaged_registry_is_not_lost() {
    leave(kEpoch, run_);
    registry(run_, kOther);
    QFile file(run_ + "/registry");
    QVERIFY(file.open(QIODevice::ReadWrite) && file.seek(40) && file.write("x") == 1);
    file.close();
    QCOMPARE(owner(), Owner::may_return);  // its header has a copy
    write(run_ + "/registry", "short");
    QCOMPARE(owner(), Owner::may_return);
}

void OwnershipMarks::a_directory_that_was_exchanged_is_lost_and_one_that_is_covered_is_not() {
    if (::geteuid() != 0) QSKIP("mounting needs root");
    leave(kEpoch, run_);
    registry(run_, kEpoch);
    QCOMPARE(::mount("x", run_.toUtf8(), "tmpfs", 0, nullptr), 0);
    QCOMPARE(owner(), Owner::may_return);
    QCOMPARE(::umount(run_.toUtf8()), 0);
    QVERIFY(QDir(run_).removeRecursively());
    QCOMPARE(owner(), Owner::nobody);
    QVERIFY(QDir().mkpath(run_));
    QCOMPARE(owner(), Owner::nobody);
}

void OwnershipMarks::a_file_system_that_ended_took_its_registry_along() {
    if (::geteuid() != 0) QSKIP("mounting needs root");
    const auto path = run_.toUtf8();
    const auto beside = directory_->filePath("beside").toUtf8();
    QVERIFY(QDir().mkpath(beside));
    QCOMPARE(::mount("x", path, "tmpfs", 0, nullptr), 0);
    registry(run_, kEpoch);
    leave(kEpoch, run_);
    // Mounted somewhere else as well, it does not end with this one.
    QCOMPARE(::mount(path, beside, nullptr, MS_BIND, nullptr), 0);
    QCOMPARE(::umount(path), 0);
    QCOMPARE(owner(), Owner::may_return);
    QCOMPARE(::umount(beside), 0);
    QTRY_COMPARE_WITH_TIMEOUT(owner(), Owner::nobody, 60'000);
    QCOMPARE(::mount("x", path, "tmpfs", 0, nullptr), 0);  // perhaps under the same number
    QCOMPARE(owner(), Owner::nobody);
    QCOMPARE(::umount(path), 0);
}

void OwnershipMarks::a_registry_that_is_a_pipe_makes_nobody_wait() {
    leave(kEpoch, run_);
    QCOMPARE(::mkfifo((run_ + "/registry").toUtf8(), 0600), 0);
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(owner(), Owner::may_return);
    QVERIFY(timer.elapsed() < 2000);
}

void OwnershipMarks::the_next_manager_of_a_registry_takes_its_mark() {
    leave(kEpoch, run_);
    const auto before = names();
    QCOMPARE(before.size(), 1);
    const OwnershipMark next(marks(), paths(run_), ::geteuid(), kEpoch);
    QCOMPARE(names(), before);
    // Held: a second one has its own.
    const OwnershipMark copy(marks(), paths(run_), ::geteuid(), kEpoch);
    QCOMPARE(names().size(), 2);
    QVERIFY(next.name() != copy.name());
    QCOMPARE(Ownership::read(marks(), "test", ::geteuid(), kEpoch, next.name()).owner(kTag),
             Owner::running);
}

void OwnershipMarks::a_free_mark_beside_a_held_one_of_the_same_registry_means_nothing() {
    leave(kEpoch, run_);
    const auto text = names().front();
    QVERIFY(QFile::copy(directory_->filePath(text), directory_->filePath("saved")));
    const OwnershipMark living(marks(), paths(run_), ::geteuid(), kEpoch);
    auto twin = text;
    twin[twin.size() - 1] = twin.endsWith('0') ? '1' : '0';
    QVERIFY(QFile::rename(directory_->filePath("saved"), directory_->filePath(twin)));
    QCOMPARE(owner(), Owner::running);
}

void OwnershipMarks::marks_of_the_dead_go_when_nothing_of_theirs_is_left() {
    registry(run_, kEpoch);
    leave(kEpoch, run_);
    const auto owners = Ownership::read(marks(), "test", ::geteuid(), kOther);
    owners.remove_dead({kTag}, false);
    QCOMPARE(names().size(), 1);
    {
        const OwnershipMark living(marks(), paths(run_), ::geteuid(), kEpoch);
        owners.remove_dead({}, false);
        QCOMPARE(names().size(), 1);
    }
    owners.remove_dead({}, false);
    QCOMPARE(names().size(), 0);
}

void OwnershipMarks::marks_of_earlier_releases_go_when_nothing_is_in_doubt() {
    const auto old = directory_->filePath(".snakepit_test@0123456789abcdef");
    registry(run_, kEpoch);
    write(old, (run_ + "/registry\n").toUtf8());
    const auto remove = [&](bool unmarked, std::uint64_t own) {
        Ownership::read(marks(), "test", ::geteuid(), own).remove_dead({}, unmarked);
        return !QFile::exists(old);
    };
    QVERIFY(!remove(true, kEpoch));
    QVERIFY(!remove(false, kOther));  // another registry is there
    QVERIFY(remove(false, kEpoch));
    write(old, "/nowhere/registry\n");
    QVERIFY(remove(false, kOther));
    QCOMPARE(::symlink("/etc/passwd", old.toUtf8()), 0);
    QVERIFY(!remove(false, kOther));
}

void OwnershipMarks::numbers_carry_the_tag_of_their_registry() {
    QCOMPARE(tag_of(tagged(kEpoch, ~0ULL)), kTag);
    QCOMPARE(tag_of(*number_of("arena_89abcdef00000001")), kTag);
    for (const auto* name :
         {"shm_1700000000000000_89abcdef00000001", "shm_1700000000000000_89abcdef00000001_second",
          "shm_1700000000000000_89abcdef00000001_second_sealed"})
        QCOMPARE(tag_of(*number_of(name)), kTag);
    QVERIFY(!number_of("arena_89abcdef0000000"));
    QVERIFY(!number_of("b_arena_89abcdef00000001"));
}

QTEST_GUILESS_MAIN(OwnershipMarks)
#include "tst_ownership_marks.moc"
