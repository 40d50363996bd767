"""Every operation of the storing services once or more, as a client would come to call it."""

import time
from datetime import UTC, datetime
from typing import Any

from mlops.quotas import quota_name
from tests.localaws.parity import Calls, Parity
from tests.localaws.things import TABLE, key, spec

_MINIMUM_PART = 5 * 1024 * 1024


def dynamodb(parity: Parity) -> None:
    call = parity.service("dynamodb")
    call("CreateTable", **spec(TABLE))
    call("DescribeTable", TableName=TABLE)
    call("ListTables", Limit=10)
    ttl = {"Enabled": True, "AttributeName": "expires"}
    call("UpdateTimeToLive", TableName=TABLE, TimeToLiveSpecification=ttl)
    call("DescribeTimeToLive", TableName=TABLE)
    item = {**key("a", 1), "kind": {"S": "x"}, "n": {"N": "1"}, "s": {"SS": ["u", "v"]}}
    call("PutItem", TableName=TABLE, Item=item, ReturnValues="ALL_OLD")
    _update(call)
    call("GetItem", TableName=TABLE, Key=key("a", 1), ProjectionExpression="n")
    puts = [{"PutRequest": {"Item": key("b", n)}} for n in range(3)]
    call("BatchWriteItem", RequestItems={TABLE: puts})
    call("BatchGetItem", RequestItems={TABLE: {"Keys": [key("b", 0), key("b", 1)]}})
    entry = {"Put": {"TableName": TABLE, "Item": key("c", 1)}}
    call("TransactWriteItems", TransactItems=[entry], ClientRequestToken="once")
    get = {"Get": {"TableName": TABLE, "Key": key("c", 1)}}
    call("TransactGetItems", TransactItems=[get])
    call(
        "Query",
        TableName=TABLE,
        IndexName="by_kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "x"}},
    )
    call("Scan", TableName=TABLE, Limit=2)
    call("DeleteItem", TableName=TABLE, Key=key("a", 1), ReturnValues="ALL_OLD")
    call("DeleteTable", TableName=TABLE)


def _update(call: Calls) -> None:
    call(
        "UpdateItem",
        TableName=TABLE,
        Key=key("a", 1),
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )


def s3(parity: Parity) -> None:
    call, bucket = parity.service("s3"), "parity-bucket"
    call("CreateBucket", Bucket=bucket)
    call("HeadBucket", Bucket=bucket)
    call("ListBuckets")
    call("GetBucketLocation", Bucket=bucket)
    call("PutObject", Bucket=bucket, Key="a/b", Body=b"text", Metadata={"k": "v"})
    call("GetObject", Bucket=bucket, Key="a/b", Range="bytes=1-2")
    call("HeadObject", Bucket=bucket, Key="a/b")
    call("CopyObject", Bucket=bucket, Key="copy", CopySource=f"{bucket}/a/b")
    call("ListObjects", Bucket=bucket, Delimiter="/")
    call("ListObjectsV2", Bucket=bucket, MaxKeys=1)
    upload = {"Bucket": bucket, "Key": "large"}
    upload["UploadId"] = call("CreateMultipartUpload", **upload)["UploadId"]
    body = b"x" * _MINIMUM_PART
    first = call("UploadPart", **upload, PartNumber=1, Body=body)["ETag"]
    copied = call("UploadPartCopy", **upload, PartNumber=2, CopySource=f"{bucket}/a/b")
    etags = [first, copied["CopyPartResult"]["ETag"]]
    call("ListParts", **upload)
    call("ListMultipartUploads", Bucket=bucket)
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    call("CompleteMultipartUpload", **upload, MultipartUpload={"Parts": parts})
    upload["UploadId"] = call("CreateMultipartUpload", Bucket=bucket, Key="large")["UploadId"]
    call("AbortMultipartUpload", **upload)
    call("DeleteObject", Bucket=bucket, Key="copy")
    call("DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": "a/b"}, {"Key": "large"}]})
    call("DeleteBucket", Bucket=bucket)


def cloudwatch(parity: Parity) -> None:
    call, now = parity.service("cloudwatch"), datetime.now(UTC)
    metric: dict[str, Any] = {"Namespace": "ns", "MetricName": "loss"}
    span = {"StartTime": datetime.fromtimestamp(now.timestamp() - 600, UTC), "EndTime": now}
    call("PutMetricData", Namespace="ns", MetricData=[{"MetricName": "loss", "Value": 1.5}])
    stat = {"Metric": metric, "Period": 60, "Stat": "p90"}
    queries = [{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "a * 2"}]
    call("GetMetricData", MetricDataQueries=queries, **span)
    call("GetMetricStatistics", **metric, **span, Period=60, Statistics=["Average"])
    call("ListMetrics", Namespace="ns")


def logs(parity: Parity) -> None:
    call, group, stream = parity.service("logs"), "/parity", "stream"
    call("CreateLogGroup", logGroupName=group)
    call("CreateLogStream", logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(time.time() * 1000), "message": '{"level": "ERROR"}'}]
    call("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)
    call("GetLogEvents", logGroupName=group, logStreamName=stream)
    call("FilterLogEvents", logGroupName=group, filterPattern='{ $.level = "ERROR" }')
    call("PutRetentionPolicy", logGroupName=group, retentionInDays=7)
    call("DescribeLogGroups", logGroupNamePrefix=group)
    call("DescribeLogStreams", logGroupName=group)
    call("DeleteRetentionPolicy", logGroupName=group)
    call("DeleteLogGroup", logGroupName=group)


def service_quotas(parity: Parity) -> None:
    call = parity.service("service-quotas")
    listed = call("ListServiceQuotas", ServiceCode="sagemaker")["Quotas"]
    call("ListAWSDefaultServiceQuotas", ServiceCode="sagemaker", MaxResults=5)
    name = quota_name("ml.g5.xlarge", spot=False)
    found = next(quota for quota in listed if quota["QuotaName"] == name)
    one = {"ServiceCode": "sagemaker", "QuotaCode": found["QuotaCode"]}
    call("GetServiceQuota", **one)
    call("GetAWSDefaultServiceQuota", **one)
    made = call("RequestServiceQuotaIncrease", **one, DesiredValue=4.0)["RequestedQuota"]
    call("GetRequestedServiceQuotaChange", RequestId=made["Id"])
    call("ListRequestedServiceQuotaChangeHistory", ServiceCode="sagemaker")
    call("ListRequestedServiceQuotaChangeHistoryByQuota", **one)


def pricing(parity: Parity) -> None:
    parity.service("pricing")("GetProducts", ServiceCode="AmazonSageMaker")


def sts(parity: Parity) -> None:
    parity.service("sts")("GetCallerIdentity")


def sns(parity: Parity) -> None:
    call = parity.service("sns")
    arn = call("CreateTopic", Name="alerts")["TopicArn"]
    call("ListTopics")
    call("GetTopicAttributes", TopicArn=arn)
    call("ListSubscriptionsByTopic", TopicArn=arn)
    call("Publish", TopicArn=arn, Subject="Over budget", Message="text")
    call("DeleteTopic", TopicArn=arn)
