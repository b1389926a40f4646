//! AWS: the only library that uses the SDK's clients. Thin functions per service, with plain types of this project.
//!
//! It makes no decisions: it has no order of calls, no waiting beyond retries and no output.

mod answer_body;
mod apigateway;
mod apigateway_parts;
mod apis_v2;
mod assume_role;
mod bulk;
mod calls;
mod cloudformation;
mod cloudwatch;
mod connect;
mod dashboards;
mod documents;
mod downloads;
mod dynamodb;
mod ec2;
mod error;
mod iam;
mod items;
mod lambda;
mod limits;
mod local_server;
mod logs;
mod metrics;
mod network;
mod nulls;
mod objects;
mod price_lists;
mod query;
mod queues;
mod record_batches;
mod route53;
mod s3;
mod secrets;
mod simulation;
mod stack_drift;
mod sts;
mod table_import;
mod topics;
mod transfer;
mod transfer_endpoint;
mod uploads;
mod versions;
mod warm_throughput;
mod webhook;

pub use apigateway::{ApiGateway, ApiIntegration, ApiIntegrationResponse, ApiMethod, GUARDS, StageState};
pub use apigateway_parts::{AccessLogFacts, ApiFacts, MethodSettingFacts, ModelFacts, ResourceFacts, StageFacts};
pub use assume_role::{RoleToAssume, RolesToAssume};
pub use bulk::{BATCH, Outcome, Statement};
pub use calls::Fence;
pub use cloudformation::{CloudFormation, StackEvent, StackFacts, StackRequest};
pub use cloudwatch::{AlarmDimension, AlarmFacts, CloudWatch};
pub use connect::{Aws, ConnectOptions};
pub use dashboards::DashboardFacts;
pub use documents::Condition;
pub use downloads::{DownloadFacts, ListedObject, ListedPage, OwnedBucket, StoredChecksum};
pub use dynamodb::{DynamoDb, NewTable, TableFacts};
pub use ec2::{AddressFacts, Admitted, Ec2, RouteTableFacts, SecurityGroupFacts, SubnetFacts, VpcEndpointFacts};
pub use error::AwsError;
pub use iam::{Iam, NewRole, RoleFacts};
pub use items::{Write, Written};
pub use lambda::{FunctionFacts, FunctionSettings, Invocation, Lambda};
pub use limits::{AccountConcurrency, Introduction, ServiceQuotas, ZoneFacts, ZoneUse};
pub use local_server::is_own_server;
pub use logs::{
    GroupFacts, LogLine, LogPage, Logs, MetricDimension, MetricFacts, MetricFilterFacts, QueryParameterFacts,
    SavedQueryFacts,
};
pub use metrics::{MetricSpan, Series};
pub use network::{Network, NetworkError};
pub use objects::{Download, ObjectFacts, ObjectPage, PRECONDITION_FAILED, Upload};
pub use queues::{Queue, QueueMessage};
pub use record_batches::{ListedRecord, NextRecord, RecordChange};
pub use route53::{RecordFacts, Route53};
pub use s3::{BucketName, BucketSettings, ObjectVersion, Policy, S3};
pub use sftpctl_ownership::{connection, owner};
pub use simulation::{Decision, Simulated};
pub use stack_drift::ResourceDrift;
pub use sts::{Caller, SessionCredentials};
pub use table_import::{ImportFacts, ImportSource};
pub use topics::{SubscriptionFacts, TopicFacts, Topics};
pub use transfer::{
    HostKeyFacts, IdentityAnswer, Provider, ServerFacts, ServerRequest, ServerUpdate, Transfer, Workflow,
};
pub use transfer_endpoint::{EndpointFacts, VpcPlace};
pub use uploads::{Expected, HeadFacts, Metadata, OpenUpload, Put, UploadedPart};
pub use versions::{VersionFacts, VersionHead, VersionMarker, VersionPage};
pub use warm_throughput::Warm;
pub use webhook::{WebhookError, post};

/// Tags as key and value.
pub type Tags = std::collections::BTreeMap<String, String>;
