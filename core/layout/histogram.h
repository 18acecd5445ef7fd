// SPDX-License-Identifier: MIT
// Histograms of operation times. Buckets are finer for smaller values, so that a percentile is off
// by at most 1/16. One writer, any number of readers.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace snakepit::shm::layout {

// The operations that are timed, as seen by the caller unless noted otherwise.
enum class Timed : std::uint8_t {
    allocate,      // in the manager, from the request to the answer
    first_map,     // a map that asked the manager, in the manager
    map,           // in the client, one of every few hundred (region_cache.h)
    unmap,         // in the client, of the same ones
    cleanup,       // returning one region's memory, in the manager
    lock_wait,     // from asking for a lock to getting it, waits only
    recorder_lag,  // from an event's commit to its row's
};
inline constexpr std::size_t kTimed = 7;
inline constexpr std::array<std::string_view, kTimed> kTimedNames{
    "allocate", "first_map", "map", "unmap", "cleanup", "lock_wait", "recorder_lag"};

// Buckets of nanoseconds: one each up to 16, then 16 for every doubling, up to 2^40 (18 minutes).
inline constexpr std::uint32_t kOctaveBuckets = 16;
inline constexpr int kOctaveBits = 4;
inline constexpr int kLongestBits = 40;
inline constexpr std::uint32_t kHistogramBuckets =
    kOctaveBuckets + (kLongestBits - kOctaveBits) * kOctaveBuckets;

constexpr std::uint32_t bucket_of(std::uint64_t nanos) {
    if (nanos < kOctaveBuckets) return static_cast<std::uint32_t>(nanos);
    const int octave = std::bit_width(nanos) - 1;
    if (octave >= kLongestBits) return kHistogramBuckets - 1;
    const auto within = nanos >> (octave - kOctaveBits) & (kOctaveBuckets - 1);
    return static_cast<std::uint32_t>(
        static_cast<std::uint32_t>(octave - kOctaveBits + 1) * kOctaveBuckets + within);
}
// The lowest value of a bucket, in nanoseconds; for the index past the last, the upper end.
constexpr std::uint64_t bucket_floor(std::uint32_t bucket) {
    if (bucket < kOctaveBuckets) return bucket;
    const auto octave = bucket / kOctaveBuckets - 1;
    return std::uint64_t{kOctaveBuckets + bucket % kOctaveBuckets} << octave;
}
static_assert(bucket_floor(bucket_of(1'000'000)) <= 1'000'000 &&
              bucket_floor(bucket_of(1'000'000) + 1) > 1'000'000);

constexpr std::uint64_t bucket_middle(std::uint32_t bucket) {
    return (bucket_floor(bucket) + bucket_floor(bucket + 1)) / 2;
}

// Counts since the registry was created; a restart of the manager does not reset them.
struct HistogramCells {
    std::atomic<std::uint64_t> count;
    std::atomic<std::uint64_t> sum;  // nanoseconds
    std::array<std::atomic<std::uint64_t>, kHistogramBuckets> buckets;

    // The writer only: adds what another histogram counted.
    template <typename Other>
    void add_counts(const Other& more) {
        for (std::uint32_t i = 0; i < kHistogramBuckets; ++i)
            if (more.buckets[i] != 0) add(bucket_middle(i), more.buckets[i]);
    }
    // The writer only. The stores are independent: a reader may see a count before its bucket.
    void add(std::uint64_t nanos, std::uint64_t times = 1) {
        const auto more = [](std::atomic<std::uint64_t>& cell, std::uint64_t by) {
            cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
        };
        more(buckets[bucket_of(nanos)], times);
        more(sum, nanos * times);
        more(count, times);
    }
};

// A reader's copy, and the difference of two copies.
struct Histogram {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;  // nanoseconds
    std::array<std::uint64_t, kHistogramBuckets> buckets{};

    static Histogram of(const HistogramCells& cells) {
        Histogram out;
        for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
            out.buckets[i] = cells.buckets[i].load(std::memory_order_relaxed);
            out.count += out.buckets[i];
        }
        out.sum = cells.sum.load(std::memory_order_relaxed);
        return out;
    }
    // What was added since `before`, an earlier copy of the same histogram.
    Histogram since(const Histogram& before) const {
        Histogram out;
        for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
            out.buckets[i] = buckets[i] - before.buckets[i];
            out.count += out.buckets[i];
        }
        out.sum = sum - before.sum;
        return out;
    }
    // The percentile for `share` (0 … 1): the middle of its bucket, in nanoseconds. 0 if empty.
    std::uint64_t percentile(double share) const {
        if (count == 0) return 0;
        auto left = static_cast<std::uint64_t>(share * static_cast<double>(count - 1));
        for (std::uint32_t i = 0; i < kHistogramBuckets; ++i) {
            if (left < buckets[i]) return bucket_middle(i);
            left -= buckets[i];
        }
        return bucket_floor(kHistogramBuckets);
    }
};

}  // namespace snakepit::shm::layout
