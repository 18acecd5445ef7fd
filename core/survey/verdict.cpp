// SPDX-License-Identifier: MIT
#include "survey/verdict.h"

#include <algorithm>

namespace snakepit::shm::survey {

bool creator_may_live(const Evidence& evidence) {
    const bool used_lately = evidence.age == Age::young || evidence.age == Age::recent;
    return (evidence.creator_known && evidence.creator != Life::gone) ||
           evidence.name_has_living_number || evidence.last_user_lives || evidence.sibling_used ||
           evidence.is_mounted || evidence.recorded_user_lives ||
           (evidence.passed_on && used_lately && evidence.knower != Answer::no);
}

namespace {

// In percent. Below kCertain nothing is removed by default.
constexpr int kSure = 95;
constexpr int kRecorded = 92;
constexpr int kLikely = 85;
constexpr int kProbable = 75;
constexpr int kTooYoung = 70;
constexpr int kOneSided = 60;  // much of the evidence was not visible
constexpr int kOpen = 50;

struct Finding {
    SegmentVerdict verdict;
    int confidence;
};
constexpr Finding kNobodyKnows{SegmentVerdict::unknown, kOpen};

Finding left_over(int confidence) {
    return {SegmentVerdict::left_over, confidence};
}

Finding of_ours(Ours ours) {
    switch (ours) {
        case Ours::managed:
            return {SegmentVerdict::ours, 99};
        case Ours::registry_gone:
            return {SegmentVerdict::ours, 80};
        default:
            return {SegmentVerdict::ours, kOneSided};
    }
}

Finding of_program(const Evidence& evidence) {
    switch (evidence.program) {
        case Answer::no:
            return left_over(kSure);
        case Answer::yes:
            return {SegmentVerdict::kept, 80};
        case Answer::not_told:
            break;
    }
    return kNobodyKnows;
}

// Its creator has a resource tracker, which ends with the last process that uses it: always before
// Python 3.13, by default since then.
Finding of_python(const Evidence& evidence) {
    if (evidence.program == Answer::no) return left_over(kSure);
    if (evidence.program == Answer::not_told || evidence.has_tracker) return kNobodyKnows;
    return left_over(80);
}

// Ids are inherited, and passed on in messages and files: once others used it, the exit of its
// creator means little.
Finding of_system_v(const Evidence& evidence) {
    if (!evidence.creator_known || evidence.creator != Life::gone) return kNobodyKnows;
    if (evidence.sibling_used || evidence.last_user_lives) return kNobodyKnows;
    const bool quiet = evidence.age == Age::settled || evidence.age == Age::long_ago;
    if (evidence.passed_on && (!quiet || evidence.knower != Answer::no))
        return {SegmentVerdict::unknown, kOneSided};
    if (evidence.findable == Findable::never)
        return left_over(evidence.passed_on ? kProbable : kSure);
    return left_over(evidence.owner == Answer::no ? kLikely : kProbable);
}

// An unknown file may have been placed there on purpose to be kept in memory. That no use was
// recorded for a day proves little: opening a file is not recorded, and reading it once a day.
Finding of_unknown_file(const Evidence& evidence) {
    if (evidence.name_has_living_number || evidence.knower != Answer::no) return kNobodyKnows;
    return evidence.age == Age::long_ago ? left_over(kOneSided) : kNobodyKnows;
}

// Whoever used it has ended with all that could have been told of it by them, and no later run
// looks for it: see README.md, rule 4.
bool is_recorded_to_the_end(const Evidence& evidence) {
    return evidence.history == History::closed && evidence.made_for_one_run;
}

Finding of_unused(const Evidence& evidence) {
    if (is_recorded_to_the_end(evidence)) return left_over(kRecorded);
    if (evidence.system_v) return of_system_v(evidence);
    if (!evidence.own_namespace && evidence.habit != Habit::stays) return kNobodyKnows;
    switch (evidence.habit) {
        case Habit::its_creator:
            return evidence.creator == Life::gone && !evidence.sibling_used ? left_over(kSure)
                                                                            : kNobodyKnows;
        case Habit::its_programs:
        case Habit::its_programs_again:
        case Habit::its_programs_anew:
            return of_program(evidence);
        case Habit::python:
            return of_python(evidence);
        case Habit::stays:
            return {SegmentVerdict::kept, 80};
        case Habit::unknown:
            break;
    }
    return of_unknown_file(evidence);
}

int most(const Evidence& evidence) {
    auto most = 100;
    const auto cap = [&most](bool applies, int at) {
        if (applies) most = std::min(most, at);
    };
    cap(evidence.age == Age::young, kTooYoung);
    cap(evidence.age == Age::recent || evidence.age == Age::not_told, kLikely);
    cap(evidence.has_unseen_names, kLikely);
    cap(evidence.sibling_used, kLikely);
    cap(creator_may_live(evidence), kLikely);
    cap(!evidence.own_namespace || !evidence.outermost, kLikely);
    cap(!evidence.all_listed, kOneSided);
    if (is_recorded_to_the_end(evidence)) return most;
    cap(evidence.findable != Findable::never, kLikely);
    // A name is chosen, by a program or by a person: it proves nothing.
    cap(!evidence.system_v, kLikely);
    cap(evidence.system_v && evidence.administrator != Answer::no, kLikely);
    cap(evidence.knower != Answer::no, kLikely);
    cap(evidence.passed_on, kLikely);
    cap(evidence.program_partly_seen, kProbable);
    cap(evidence.root_runs_program, kLikely);
    cap(evidence.number_may_be_foreign, kLikely);
    return most;
}

}  // namespace

Judgement decide(const Evidence& evidence) {
    if (evidence.use == Use::used) return {SegmentVerdict::in_use, 100, 100};
    const auto found = evidence.ours == Ours::no ? of_unused(evidence) : of_ours(evidence.ours);
    Judgement out{found.verdict, found.confidence, found.confidence};
    if (found.verdict != SegmentVerdict::left_over) return out;
    out.confidence_if_unused = std::min(found.confidence, most(evidence));
    out.confidence =
        std::min(out.confidence_if_unused, evidence.use == Use::partly_unseen ? kProbable : 100);
    return out;
}

void judge(HostSegment& segment, const Setting& setting, const Origin* origin) {
    auto evidence = weigh(segment, setting, origin);
    const auto judgement = decide(evidence);
    segment.verdict = judgement.verdict;
    segment.confidence = judgement.confidence;
    segment.confidence_if_unused = judgement.confidence_if_unused;
    segment.creator_may_live =
        judgement.verdict == SegmentVerdict::kept || creator_may_live(evidence);
    segment.evidence = std::move(evidence.sentences);
}

}  // namespace snakepit::shm::survey
