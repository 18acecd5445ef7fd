// SPDX-License-Identifier: MIT
// Cleaning, while names are made anew all the time, and programs that open segments meanwhile.
// SNAKEPIT_RACE_ROUNDS: how often it is cleaned; SNAKEPIT_LEASES: how many leases are taken.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QtTest>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "from_environment.h"
#include "host_ground.h"
#include "survey/host_survey.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

using std::chrono::milliseconds;

constexpr int kUsualRounds = 150, kUsualLeases = 2000;
constexpr milliseconds kMostForOpen{20};  // 99 of 100
constexpr int kPutBackMs = 1000;  // a name may be aside for a moment, longer on a busy machine
constexpr std::size_t kSamples = 1 << 20;
constexpr key_t kKey = 0x72616365;

// What a test and its children tell each other.
struct Board {
    std::atomic<bool> stop{false};
    std::atomic<long> generations{0}, lost{0}, aside{0}, failed{0};
    std::atomic<std::size_t> samples{0};
    std::array<std::uint32_t, kSamples> micros{};  // of each open()
};

// In memory that children share with us.
class SharedBoard {
  public:
    SharedBoard()
        : board_(new (::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Board) {}
    ~SharedBoard() { ::munmap(board_, sizeof(Board)); }
    Board* operator->() const { return board_; }
    Board& operator*() const { return *board_; }

  private:
    Board* board_;
};

class Child {
  public:
    template <typename Work>
    explicit Child(const Work& work) : pid_(::fork()) {
        if (pid_ != 0) return;
        work();
        ::_exit(0);
    }
    ~Child() { ::waitpid(pid_, nullptr, 0); }

  private:
    pid_t pid_;
};

bool has_inode(const std::string& path, ino_t inode) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && info.st_ino == inode;
}

void check_name(Board& board, const std::string& path, ino_t inode) {
    int waited = 0;
    while (waited < kPutBackMs && !has_inode(path, inode)) {
        if (waited == 0) ++board.aside;
        ::usleep(1000);
        ++waited;
    }
    if (waited == kPutBackMs) ++board.lost;
}

// Each generation has its file mapped, and ends it itself: until then its name is its own.
void make_files(Board& board, const std::string& path, int most_micros) {
    for (unsigned round = 0; !board.stop; ++round) {
        const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0) {  // an earlier one was put back
            ::unlink(path.c_str());
            continue;
        }
        struct stat info {};
        if (::ftruncate(file, 4096) != 0 || ::fstat(file, &info) != 0) ++board.failed;
        void* place = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        ++board.generations;
        if (most_micros > 0) ::usleep(round * 997 % static_cast<unsigned>(most_micros));
        check_name(board, path, info.st_ino);
        ::unlink(path.c_str());
        ::munmap(place, 4096);
    }
}

// Waits until somebody opens the idle file, which is how a removal begins, and puts another, that
// is in use, in its place at that moment.
void exchange_when_opened(Board& board, const std::string& path) {
    const auto next = path + ".next";
    while (!board.stop) {
        const int idle = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const int file = ::open(next.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        struct stat info {};
        if (idle < 0 || ::ftruncate(file, 4096) != 0 || ::fstat(file, &info) != 0) ++board.failed;
        void* place = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        ::close(idle);
        const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        ::inotify_add_watch(watch, path.c_str(), IN_OPEN);
        pollfd opened{.fd = watch, .events = POLLIN, .revents = 0};
        while (!board.stop && ::poll(&opened, 1, 100) == 0) {
        }
        ::rename(next.c_str(), path.c_str());
        ++board.generations;
        check_name(board, path, info.st_ino);
        ::unlink(path.c_str());
        ::munmap(place, 4096);
        ::close(watch);
    }
}

void make_system_v(Board& board, int most_micros) {
    for (unsigned round = 0; !board.stop; ++round) {
        const int id = ::shmget(kKey, 4096, IPC_CREAT | IPC_EXCL | 0600);
        void* place = id < 0 ? nullptr : ::shmat(id, nullptr, 0);
        if (place == nullptr || place == reinterpret_cast<void*>(-1)) continue;  // it went between
        ++board.generations;
        ::usleep(round * 997 % static_cast<unsigned>(most_micros));
        if (::shmget(kKey, 4096, 0) != id) ++board.lost;
        ::shmctl(id, IPC_RMID, nullptr);
        ::shmdt(place);
    }
}

void open_files(Board& board, const QStringList& paths) {
    std::vector<std::string> all;
    for (const auto& path : paths) all.push_back(path.toStdString());
    for (std::size_t round = 0; !board.stop; ++round) {
        const auto before = std::chrono::steady_clock::now();
        const int file = ::open(all[round * 7 % all.size()].c_str(), O_RDWR | O_CLOEXEC);
        const auto taken = std::chrono::steady_clock::now() - before;
        if (file < 0) ++board.failed;
        ::close(file);
        board.micros[board.samples++ % kSamples] = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(taken).count());
        ::usleep(200);
    }
}

QStringList make_idle(int count, const QString& name, uid_t owner) {
    QStringList out;
    for (int at = 0; at < count; ++at) {
        const auto path = QString("/dev/shm/%1_%2").arg(name).arg(at);
        QFile file(path);
        if (!file.open(QIODevice::WriteOnly) || file.write("x") != 1 ||
            ::chown(qPrintable(path), owner, owner) != 0)
            qFatal("cannot make a segment");
        out += path;
    }
    return out;
}

void remove_all(const QStringList& paths) {
    for (const auto& path : paths) QFile::remove(path);
}

std::vector<std::string> words_of(const QStringList& paths) {
    std::vector<std::string> out;
    for (const auto& path : paths) out.push_back(path.toStdString());
    return out;
}

QStringList left_aside() {
    return QDir("/dev/shm").entryList({".snakepit_removing_*"}, QDir::Files | QDir::Hidden);
}

}  // namespace

class HostRace : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_name_that_is_made_anew_is_never_taken_from_the_living_data();
    void a_name_that_is_made_anew_is_never_taken_from_the_living();
    void a_key_that_is_made_anew_is_never_taken_from_the_living();
    void who_opens_a_segment_meanwhile_does_not_wait();
    void without_leases_all_of_them_cost_two_looks();
};

void HostRace::a_name_that_is_made_anew_is_never_taken_from_the_living_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<int>("most_micros");
    QTest::newRow("every few milliseconds") << "psm_0badcafe" << 5000;
    QTest::newRow("as fast as possible") << "torch_999999_1_0" << 0;
    QTest::newRow("a name of nobody's") << "state" << 300;
    QTest::newRow("at the moment of its removal") << "psm_0badcaff" << -1;
}

void HostRace::a_name_that_is_made_anew_is_never_taken_from_the_living() {
    QFETCH(QString, name);
    QFETCH(int, most_micros);
    const auto path = ("/dev/shm/" + name).toStdString();
    const SharedBoard board;
    long removed = 0;
    QString told;
    {
        const Child maker([&] {
            most_micros < 0 ? exchange_when_opened(*board, path)
                            : make_files(*board, path, most_micros);
        });
        for (int round = from_environment("SNAKEPIT_RACE_ROUNDS", kUsualRounds); round > 0;
             --round) {
            const auto items = clean_host({name.toStdString()}, {.force = true});
            if (!items || items->empty()) continue;
            if (items->front().removed) ++removed;
            if (items->front().refusal == Refusal::failed)
                told += QString::fromStdString(items->front().reason);
        }
        board->stop = true;
    }
    std::printf("%s: %ld generations, %ld aside for a moment, %ld removed, %ld lost\n",
                qPrintable(name), board->generations.load(), board->aside.load(), removed,
                board->lost.load());
    QVERIFY(board->generations > 0);
    QCOMPARE(board->lost.load(), 0L);
    QCOMPARE(board->failed.load(), 0L);
    // Where the name was taken for good meanwhile, the segment that had it stays beside, and is
    // told.
    for (const auto& name_aside : left_aside()) {
        QVERIFY2(told.contains(name_aside), qPrintable(name_aside));
        QFile::remove("/dev/shm/" + name_aside);
    }
    QFile::remove(QString::fromStdString(path));
    QFile::remove(QString::fromStdString(path + ".next"));
}

void HostRace::a_key_that_is_made_anew_is_never_taken_from_the_living() {
    const SharedBoard board;
    {
        const Child maker([&] { make_system_v(*board, 2000); });
        for (int round = from_environment("SNAKEPIT_RACE_ROUNDS", kUsualRounds); round > 0; --round)
            (void)clean_host({"0x72616365"}, {.force = true});
        board->stop = true;
    }
    QVERIFY(board->generations > 0);
    QCOMPARE(board->lost.load(), 0L);
}

void HostRace::who_opens_a_segment_meanwhile_does_not_wait() {
    constexpr int kFiles = 200;
    const auto paths = make_idle(kFiles, "leased", 0);
    const SharedBoard board;
    const int leases = from_environment("SNAKEPIT_LEASES", kUsualLeases);
    {
        const Child one([&] { open_files(*board, paths); }),
            two([&] { open_files(*board, paths); });
        for (int taken = 0; taken < leases; taken += kFiles)
            QVERIFY(clean_host(words_of(paths), {.dry_run = true}).has_value());
        board->stop = true;
    }
    const auto count = std::min(board->samples.load(), kSamples);
    QVERIFY(count > 0);
    auto* const begin = board->micros.data();
    std::sort(begin, begin + count);
    const auto p99 = begin[count * 99 / 100];
    std::printf(
        "%zu times opened during %d leases: half within %u us, 99 %% within %u us, all "
        "within %u us\n",
        count, leases, begin[count / 2], p99, begin[count - 1]);
    QCOMPARE(board->failed.load(), 0L);
    QVERIFY(milliseconds(p99 / 1000) <= kMostForOpen);
    remove_all(paths);
}

void HostRace::without_leases_all_of_them_cost_two_looks() {
    if (::geteuid() != 0) QSKIP("needs root, whose leases on others' files take a capability");
    const Looker looker;
    const auto quickest = [&](const QStringList& paths) {
        qint64 best = std::numeric_limits<qint64>::max();
        for (int time = 0; time < 3; ++time) {
            QElapsedTimer taken;
            taken.start();
            (void)looker.run(QStringList{"host", "clean", "--dry-run", "--json"} + paths, {}, 0, {},
                             "setpriv --bounding-set=-lease");
            best = std::min(best, taken.elapsed());
        }
        return best;
    };
    const auto few = make_idle(3, "few", 4242), many = make_idle(300, "many", 4242);
    const auto of_few = quickest(few), of_many = quickest(many);
    std::printf("3 segments: %lld ms, 300 segments: %lld ms\n", of_few, of_many);
    QVERIFY(of_many <= 5 * of_few);
    remove_all(few + many);
}

int main(int count, char** words) {
    if (!enter_own_ground()) {
        std::puts("SKIP: needs root and namespaces of its own");
        return 0;
    }
    HostRace test;
    return QTest::qExec(&test, count, words);
}

#include "tst_host_race.moc"
