// SPDX-License-Identifier: MIT
#include "survey/host_survey.h"

#include "survey/linux/scan.h"

namespace snakepit::shm {

Result<HostSurvey> survey_host(const SurveyOptions& options) {
    SHM_ASSIGN(auto scan, survey::Scan::run(options));
    auto survey = scan.survey();
    if (options.payers) scan.add_payers(survey, options.memory);
    return survey;
}

}  // namespace snakepit::shm
