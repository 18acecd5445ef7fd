// SPDX-License-Identifier: MIT
// The macOS backend above its system calls: each call fails once, and nothing is left behind.
#include <unistd.h>

#include <filesystem>

#include <QtTest>

#include "macos_mach/macos_mach_backend.h"
#include "simulated_mach.h"

using namespace snakepit::shm;

class TestMacosMach : public QObject {
    Q_OBJECT

  private:
    QTemporaryDir directory_;
    std::shared_ptr<SimulatedCalls> calls_ = std::make_shared<SimulatedCalls>();
    std::string name_ = "/snakepit-mach-" + std::to_string(::getpid());

    std::unique_ptr<PlatformBackend> backend() {
        BackendOptions options;
        options.shm_path = directory_.path().toStdString();
        auto made = MacosMachBackend::create(options, simulated_mach(calls_));
        return made ? std::move(*made) : nullptr;
    }

    static std::size_t open_descriptors() {
        const std::filesystem::directory_iterator all("/proc/self/fd");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

    bool shared_exists() const { return std::filesystem::exists("/dev/shm" + shared_name(name_)); }

    // Everything once; the first error ends it.
    Status use(PlatformBackend& backend) {
        const std::string nameless = "memfd:mach";
        SHM_ASSIGN(const auto named, backend.create_segment(name_, 4096));
        SHM_TRY(backend.discard(named.handle, 0, 4096));
        SHM_TRY(backend.set_read_only(name_, true));
        SHM_TRY(backend.inspect_segment(name_));
        SHM_TRY(backend.list_segments("/"));
        SHM_TRY(backend.users_of(named.identity));
        SHM_TRY(backend.create_segment(nameless, 4096, Pages::reserved, SegmentUse::to_be_sealed));
        SHM_TRY(backend.set_read_only(nameless, true));
        SHM_TRY(backend.inspect_segment(nameless));
        SHM_TRY(backend.remove_segment(nameless, {}));
        return backend.remove_segment(name_, named.identity);
    }

  private Q_SLOTS:
    void cleanup() {
        *calls_ = {};
        const auto again = backend();
        QVERIFY(again->remove_segment(name_, {}));
    }

    void each_call_may_fail() {
        int reached = 0;
        for (int n = 1;; ++n) {
            const auto before = open_descriptors();
            *calls_ = {0, n, {}};
            {
                const auto tried = backend();
                const auto used = tried ? use(*tried) : Status();
                if (calls_->failed.empty()) {
                    QVERIFY2(used, used ? "" : used.error().sentence().c_str());
                    break;
                }
                ++reached;
                QVERIFY2(!tried || !used, ("unnoticed: " + calls_->failed).c_str());
                if (!used) QVERIFY2(!used.error().message.empty(), calls_->failed.c_str());
                // What failed can be done again, and then nothing is left.
                const auto again = backend();
                QVERIFY(again);
                QVERIFY2(again->remove_segment(name_, {}), calls_->failed.c_str());
                const auto repeated = use(*again);
                QVERIFY2(repeated, repeated ? "" : repeated.error().sentence().c_str());
            }
            QCOMPARE(open_descriptors(), before);
            QVERIFY2(!shared_exists(), calls_->failed.c_str());
            QVERIFY2(std::filesystem::is_empty(directory_.path().toStdString()),
                     calls_->failed.c_str());
        }
        QVERIFY(reached > 20);
    }

    void rights_are_refused_as_mach_does() {
        const auto made = backend();
        const std::string name = "memfd:rights";
        QVERIFY(made->create_segment(name, 4096, Pages::reserved, SegmentUse::to_be_sealed));
        QVERIFY(made->set_read_only(name, true));
        const auto writer = made->open_segment(name, AccessMode::read_write);
        QVERIFY(!writer);
        QCOMPARE(writer.error().code, ErrorCode::permission_denied);
        const auto reader = made->open_segment(name, AccessMode::read_only);
        QVERIFY(reader);
        const auto cleared = made->discard(reader->handle, 0, 4096);
        QVERIFY(!cleared);
        QCOMPARE(cleared.error().code, ErrorCode::permission_denied);
        const auto ordinary = std::string("memfd:ordinary");
        QVERIFY(made->create_segment(ordinary, 4096));
        QCOMPARE(made->set_read_only(ordinary, true).error().code, ErrorCode::not_supported);
    }

    // Killed between its two steps, a creation leaves a record without memory.
    void unfinished_record_is_removed_later() {
        const auto made = backend();
        const auto record = directory_.filePath("left").toStdString();
        QVERIFY(QFile(QString::fromStdString(record)).open(QIODevice::WriteOnly));
        QVERIFY(made->list_segments("/")->empty());
        QVERIFY(std::filesystem::exists(record));
        std::filesystem::last_write_time(
            record, std::filesystem::last_write_time(record) - std::chrono::minutes(2));
        QVERIFY(made->list_segments("/")->empty());
        QVERIFY(!std::filesystem::exists(record));
    }

    void names_that_leave_the_directory_are_refused() {
        const auto made = backend();
        for (const auto* name : {"/../x", "/a/b", "/", "/.x"})
            QCOMPARE(made->create_segment(name, 4096).error().code, ErrorCode::invalid_argument);
        QCOMPARE(made->create_segment("durable/x", 4096).error().code, ErrorCode::not_supported);
    }
};

QTEST_GUILESS_MAIN(TestMacosMach)
#include "tst_macos_mach.moc"
