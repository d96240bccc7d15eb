#pragma once

#include <tuple>

#include "net/requests/access_admin.h"
#include "net/requests/client_management.h"
#include "net/requests/group_admin.h"
#include "net/requests/group_forbidden.h"
#include "net/requests/nameserver.h"
#include "net/requests/node_admin.h"
#include "net/requests/offset_admin.h"
#include "net/requests/offsets.h"
#include "net/requests/pop.h"
#include "net/requests/pull.h"
#include "net/requests/query.h"
#include "net/requests/recall.h"
#include "net/requests/send.h"
#include "net/requests/to_client.h"
#include "net/requests/transaction.h"
#include "net/requests/topic_admin.h"

/// Every header that net/requests declares: targets_test.py holds the list to that.
using AllHeaders = std::tuple<
    net::AuthCreateUserRequest, net::AuthUpdateUserRequest, net::AuthDeleteUserRequest, net::AuthGetUserRequest,
    net::AuthListUsersRequest, net::AuthCreateAclRequest, net::AuthUpdateAclRequest, net::AuthDeleteAclRequest,
    net::AuthGetAclRequest, net::AuthListAclRequest,
    net::HeartBeatRequest, net::HeartBeatResponse, net::UnregisterClientRequest, net::GetConsumerListByGroupRequest,
    net::CheckClientConfigRequest, net::LockBatchMqRequest, net::UnlockBatchMqRequest,
    net::UpdateAndCreateSubscriptionGroupRequest, net::UpdateAndCreateSubscriptionGroupListRequest,
    net::GetAllSubscriptionGroupConfigRequest, net::GetSubscriptionGroupConfigRequest,
    net::DeleteSubscriptionGroupRequest, net::GetConsumeStatsRequest, net::GetBrokerConsumeStatsRequest,
    net::GetConsumerConnectionListRequest, net::GetProducerConnectionListRequest, net::GetAllProducerInfoRequest,
    net::QueryConsumeTimeSpanRequest, net::QueryTopicsByConsumerRequest, net::QuerySubscriptionByConsumerRequest,
    net::InvokeBrokerToResetOffsetRequest, net::InvokeBrokerToGetConsumerStatusRequest, net::CloneGroupOffsetRequest,
    net::QueryCorrectionOffsetRequest, net::QueryConsumeQueueRequest, net::GetAllConsumerOffsetRequest,
    net::UpdateAndGetGroupForbiddenRequest,
    net::GetRouteInfoRequest, net::RegisterBrokerRequest, net::RegisterBrokerResponse, net::UnregisterBrokerRequest,
    net::QueryDataVersionRequest, net::QueryDataVersionResponse, net::BrokerHeartbeatRequest,
    net::GetBrokerMemberGroupRequest, net::GetBrokerClusterInfoRequest, net::GetAllTopicListRequest,
    net::GetTopicsByClusterRequest, net::GetSystemTopicListFromNsRequest, net::GetUnitTopicListRequest,
    net::GetHasUnitSubTopicListRequest, net::GetHasUnitSubUnunitTopicListRequest, net::DeleteTopicInNamesrvRequest,
    net::RegisterTopicInNamesrvRequest, net::WipeWritePermRequest, net::WipeWritePermResponse, net::AddWritePermRequest,
    net::AddWritePermResponse, net::PutKvConfigRequest, net::GetKvConfigRequest, net::GetKvConfigResponse,
    net::DeleteKvConfigRequest, net::GetKvListRequest, net::UpdateNamesrvConfigRequest, net::GetNamesrvConfigRequest,
    net::GetBrokerRuntimeInfoRequest, net::GetBrokerConfigRequest, net::GetBrokerConfigResponse, net::GetBrokerHaStatusRequest,
    net::UpdateBrokerConfigRequest, net::ViewBrokerStatsDataRequest, net::QueryConsumerOffsetRequest,
    net::UpdateConsumerOffsetRequest, net::GetMaxOffsetRequest, net::GetMinOffsetRequest, net::SearchOffsetRequest,
    net::GetEarliestMsgStoreTimeRequest, net::OffsetResponse, net::TimestampResponse, net::PullMessageRequest,
    net::LitePullMessageRequest, net::PullMessageResponse, net::PopMessageRequest, net::AckMessageRequest,
    net::BatchAckMessageRequest, net::ChangeInvisibleTimeRequest, net::NotificationRequest, net::PeekMessageRequest,
    net::PollingInfoRequest, net::QueryAssignmentRequest, net::SetMessageRequestModeRequest,
    net::GetAllMessageRequestModeRequest, net::ViewMessageRequest, net::QueryMessageRequest,
    net::QueryMessageResponse, net::RecallMessageRequest, net::RecallMessageResponse, net::SendMessageRequest, net::SendReplyMessageRequest, net::SendMessageV2Request,
    net::SendBatchMessageRequest, net::SendReplyMessageV2Request, net::SendMessageResponse,
    net::ConsumerSendMsgBackRequest, net::CheckTransactionStateRequest, net::EndTransactionRequest, net::ResumeCheckHalfMessageRequest, net::NotifyConsumerIdsChangedRequest,
    net::ResetConsumerClientOffsetRequest, net::GetConsumerStatusFromClientRequest, net::GetConsumerRunningInfoRequest,
    net::ConsumeMessageDirectlyRequest, net::PushReplyMessageRequest, net::UpdateAndCreateTopicRequest,
    net::UpdateAndCreateTopicListRequest, net::DeleteTopicInBrokerRequest, net::GetAllTopicConfigRequest,
    net::GetTopicConfigRequest, net::GetTopicStatsInfoRequest, net::QueryTopicConsumeByWhoRequest,
    net::GetSystemTopicListFromBrokerRequest, net::CleanExpiredConsumeQueueRequest, net::CleanUnusedTopicRequest,
    net::DeleteExpiredCommitLogRequest>;
