// SPDX-License-Identifier: MIT
// Segments without a name, as the Linux backend makes them.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QTemporaryDir>
#include <QTest>

#include <fmt/format.h>

#include "linux_posix/linux_posix_backend.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kSize = 64 << 10;
const std::string kName = "memfd:snakepit_test_one";

// Keeps descriptors in this process; can be told to be gone.
class FakeKeeper final : public DescriptorKeeper {
  public:
    Result<bool> ensure() override {
        if (!there) return fail(ErrorCode::platform_error, "there is no keeper");
        return std::exchange(fresh, false);
    }
    Status put(const std::string& name, const Handle& descriptor) override {
        kept.insert_or_assign(name, descriptor.duplicate());
        return {};
    }
    Status drop(const std::string& name) override {
        kept.erase(name);
        return {};
    }
    Result<std::vector<KeptDescriptor>> take_all() override {
        std::vector<KeptDescriptor> out;
        for (const auto& [name, handle] : kept) out.push_back({name, handle.duplicate()});
        return out;
    }
    bool alive() override { return there; }
    std::string name() const override { return "the test"; }

    void die() {
        kept.clear();
        there = false;
    }
    void come() { there = fresh = true; }

    std::map<std::string, Handle> kept;
    bool there = true, fresh = true;
};

}  // namespace

class Memfd : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void it_has_no_name_and_its_own_user_alone_could_open_it();
    void nobody_can_change_its_size();
    void nobody_can_seal_it_against_the_others();
    void a_read_only_descriptor_cannot_be_made_to_write();
    void a_sealed_one_can_be_written_by_nobody();
    void one_that_is_mapped_for_writing_is_not_sealed();
    void removing_it_takes_the_memory_from_idle_maps();
    void what_was_kept_is_found_by_the_next();
    void a_new_keeper_gets_everything();
    void without_a_keeper_it_works_and_says_so();
    void more_than_the_host_has_is_refused();

  private:
    std::unique_ptr<PlatformBackend> make() {
        auto backend = LinuxPosixBackend::create({directory_->path().toStdString(), {}, keeper_});
        return backend ? std::move(*backend) : nullptr;
    }

    std::unique_ptr<QTemporaryDir> directory_;
    std::shared_ptr<FakeKeeper> keeper_;
    std::unique_ptr<PlatformBackend> backend_;
};

void Memfd::init() {
    directory_ = std::make_unique<QTemporaryDir>();
    keeper_ = std::make_shared<FakeKeeper>();
    backend_ = make();
    QVERIFY(backend_);
}

void Memfd::it_has_no_name_and_its_own_user_alone_could_open_it() {
    const auto segment = backend_->create_segment(kName, 5000);
    QVERIFY(segment.has_value());
    QCOMPARE(segment->size, 8192U);
    QVERIFY(QDir(directory_->path()).isEmpty());
    const auto info = backend_->inspect_segment(kName);
    QCOMPARE(info->mode, 0600U);
    QCOMPARE(info->allocated, 8192U);  // every page is there
    QCOMPARE(info->identity, segment->identity);
    QCOMPARE(backend_->list_segments("memfd:snakepit_test_")->size(), std::size_t{1});
    QVERIFY(!backend_->create_segment(kName, kSize));
}

void Memfd::nobody_can_change_its_size() {
    const auto segment = backend_->create_segment(kName, kSize);
    QCOMPARE(::ftruncate(segment->handle.get(), 4096), -1);
    QCOMPARE(::ftruncate(segment->handle.get(), 2 * kSize), -1);
    QCOMPARE(::fallocate(segment->handle.get(), 0, kSize, 4096), -1);
}

void Memfd::nobody_can_seal_it_against_the_others() {
    const auto segment = backend_->create_segment(kName, kSize);
    QCOMPARE(::fcntl(segment->handle.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
    QCOMPARE(errno, EPERM);
    QVERIFY(!backend_->set_read_only(kName, true));
}

void Memfd::a_read_only_descriptor_cannot_be_made_to_write() {
    QVERIFY(backend_->create_segment(kName, kSize));
    const auto reader = backend_->open_segment(kName, AccessMode::read_only);
    QCOMPARE(::mmap(nullptr, kSize, PROT_WRITE, MAP_SHARED, reader->handle.get(), 0), MAP_FAILED);
    char byte = 1;
    QCOMPARE(::pwrite(reader->handle.get(), &byte, 1, 0), ssize_t{-1});
    // Only our own user may open it again; another's try is in tst_isolation.
    struct stat info {};
    QCOMPARE(::fstat(reader->handle.get(), &info), 0);
    QCOMPARE(info.st_mode & 07777U, 0600U);
}

void Memfd::a_sealed_one_can_be_written_by_nobody() {
    const auto segment =
        backend_->create_segment(kName, kSize, Pages::reserved, SegmentUse::to_be_sealed);
    QVERIFY(backend_->set_read_only(kName, true));
    char byte = 1;
    QCOMPARE(::pwrite(segment->handle.get(), &byte, 1, 0), ssize_t{-1});
    const auto again = backend_->open_segment(kName, AccessMode::read_write);
    QCOMPARE(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, again->handle.get(), 0),
             MAP_FAILED);
    QVERIFY(!backend_->set_read_only(kName, false));
    QVERIFY(backend_->remove_segment(kName, segment->identity));
}

void Memfd::one_that_is_mapped_for_writing_is_not_sealed() {
    const auto segment =
        backend_->create_segment(kName, kSize, Pages::reserved, SegmentUse::to_be_sealed);
    auto mapping = Mapping::map(segment->handle, kSize, Mapping::Access::read_write);
    QVERIFY(!backend_->set_read_only(kName, true));
    mapping->reset();
    QVERIFY(backend_->set_read_only(kName, true));
}

void Memfd::removing_it_takes_the_memory_from_idle_maps() {
    const auto segment = backend_->create_segment(kName, kSize);
    const auto mapping = Mapping::map(segment->handle, kSize, Mapping::Access::read_write);
    std::memset(mapping->data(), 7, kSize);
    QVERIFY(!backend_->remove_segment(kName, {1, 1}));
    QVERIFY(backend_->remove_segment(kName, segment->identity));
    QCOMPARE(mapping->data()[0], std::byte(0));  // and no SIGBUS
    QVERIFY(!backend_->inspect_segment(kName));
    QVERIFY(keeper_->kept.empty());
    QVERIFY(backend_->remove_segment(kName, segment->identity));
}

void Memfd::what_was_kept_is_found_by_the_next() {
    FileIdentity identity;
    {
        const auto segment = backend_->create_segment(kName, kSize);
        identity = segment->identity;
        QCOMPARE(::pwrite(segment->handle.get(), "kept", 4, 0), ssize_t{4});
    }
    backend_ = make();
    const auto segment = backend_->open_segment(kName, AccessMode::read_only);
    QVERIFY(segment.has_value());
    QCOMPARE(segment->identity, identity);
    char text[5] = {};
    QCOMPARE(::pread(segment->handle.get(), text, 4, 0), ssize_t{4});
    QCOMPARE(QByteArray(text), QByteArray("kept"));
    QVERIFY(backend_->forget_segment(kName));
    QVERIFY(make()->list_segments(kAnonymousPrefix)->empty());
}

void Memfd::a_new_keeper_gets_everything() {
    QVERIFY(backend_->create_segment(kName, kSize));
    QVERIFY(backend_->create_segment(kName + "2", kSize));
    QCOMPARE(backend_->tend_keeper().kept, 2U);
    keeper_->die();
    const auto alone = backend_->tend_keeper();
    QCOMPARE(alone.kept, 0U);
    QVERIFY(!alone.problem.empty());
    keeper_->come();
    const auto again = backend_->tend_keeper();
    QCOMPARE(again.kept, 2U);
    QVERIFY(again.problem.empty());
    QCOMPARE(keeper_->kept.size(), std::size_t{2});
}

void Memfd::without_a_keeper_it_works_and_says_so() {
    keeper_->die();
    QVERIFY(backend_->create_segment(kName, kSize));
    QVERIFY(!backend_->tend_keeper().problem.empty());
    QVERIFY(backend_->remove_segment(kName, {}));
    QVERIFY(backend_->tend_keeper().problem.empty());
}

void Memfd::more_than_the_host_has_is_refused() {
    const auto refused = backend_->create_segment(kName, std::uint64_t{1} << 45);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::no_space);
    QVERIFY(keeper_->kept.empty());
}

}  // namespace snakepit::shm

QTEST_GUILESS_MAIN(snakepit::shm::Memfd)
#include "tst_memfd.moc"
