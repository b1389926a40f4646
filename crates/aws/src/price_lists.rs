//! AWS's price list files: public, without credentials.

use aws_sdk_s3::config::{BehaviorVersion, Region};

use super::error::Call as _;
use super::objects::Download;
use super::{Aws, AwsError};

/// The endpoint of the Price List Bulk API ("Finding public price list files" in the AWS Billing user guide).
const ENDPOINT: &str = "https://pricing.us-east-1.amazonaws.com";
/// Largest file that is read, in bytes. Those of the services here have a few megabytes for a region.
const MOST: usize = 64 << 20;

impl Aws {
    /// The price list file of a service in a region.
    ///
    /// # Errors
    /// It could not be read, or is too large.
    pub async fn price_list(&self, offer: &str, region: &str) -> Result<String, AwsError> {
        let key = format!("v1.0/aws/{offer}/current/{region}/index.json");
        let error = |message: String| AwsError {
            operation: OPERATION,
            object: format!("offers/{key}"),
            code: None,
            message,
            status: None,
        };
        // A file by its path is as an object of S3 in a bucket `offers`: unsigned, and without a query that names the call.
        let call = self.price_lists().get_object().bucket("offers").key(&key).customize().mutate_request(|request| {
            let path = request.uri().split('?').next().unwrap_or_default().to_owned();
            let _ = request.set_uri(path);
        });
        let answer = call.send().await.call(OPERATION, &format!("offers/{key}"))?;
        let mut download = Download { object: format!("offers/{key}"), etag: String::new(), body: answer.body };
        let mut text = Vec::new();
        while let Some(bytes) = download.next().await? {
            text.extend_from_slice(&bytes);
            if text.len() > MOST {
                return Err(error(format!("it has more than {} MB", MOST >> 20)));
            }
        }
        String::from_utf8(text).map_err(|_| error("it is not UTF-8".to_owned()))
    }

    fn price_lists(&self) -> aws_sdk_s3::Client {
        let own = self.own();
        let endpoint = own.endpoint_url().unwrap_or(ENDPOINT);
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .force_path_style(true)
            .allow_no_auth();
        let config = match own.http_client() {
            Some(http) => config.http_client(http),
            None => config,
        };
        aws_sdk_s3::Client::from_conf(config.build())
    }
}

const OPERATION: &str = "price list file";
